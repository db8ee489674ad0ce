package interop

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Document reads a document of the server's database, which may be running: the database is a file to which the server
// appends. The last version counts. Without one the test fails.
func (s *Server) Document(t testing.TB, id string) map[string]any {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.dataDir, "meshcentral.db"))
	if err != nil {
		t.Fatal(err)
	}
	var found map[string]any
	for line := range bytes.Lines(b) {
		var doc map[string]any
		// The last line may be half written.
		if json.Unmarshal(line, &doc) == nil && doc["_id"] == id {
			found = doc
		}
	}
	if found == nil {
		t.Fatalf("interop: no document %q in the server's database", id)
	}
	return found
}

// LoginKey returns the key that the server makes login cookies with, as `meshcentral --loginTokenKey` prints it: 160
// hexadecimal digits.
func (s *Server) LoginKey(t testing.TB) string {
	t.Helper()
	key, _ := s.Document(t, "LoginCookieEncryptionKey")["key"].(string)
	if len(key) != 160 {
		t.Fatalf("interop: the login key has %d characters", len(key))
	}
	return key
}

// WriteDocument changes a document of the database of a server that is stopped.
func (s *Server) WriteDocument(t testing.TB, doc map[string]any) {
	t.Helper()
	line, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.OpenFile(filepath.Join(s.dataDir, "meshcentral.db"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = file.Write(append(line, '\n')); err == nil {
		err = file.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
