package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The documents with the keys of login cookies and of invitations, which the server makes in the background when it has
// none.
const (
	loginKeyID      = "LoginCookieEncryptionKey"
	invitationKeyID = "InvitationLinkEncryptionKey"
)

// Document reads a document of the server's database, which may be running: the database is a file to which the server
// appends, a while after it has said that something is done. So Document waits for a document that is not there yet; of
// several versions the last one counts. Without one the test fails.
func (s *Server) Document(t testing.TB, id string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	doc, err := waitDocument(ctx, s.dataDir, id)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// waitDocument waits for a document in the database of a data directory.
func waitDocument(ctx context.Context, dataDir, id string) (map[string]any, error) {
	tick := time.NewTicker(50 * time.Millisecond) // nobody tells when a file grows
	defer tick.Stop()
	for {
		doc, err := readDocument(dataDir, id)
		if doc != nil || err != nil {
			return doc, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("interop: no document %q in the server's database: %w", id, ctx.Err())
		}
	}
}

// readDocument returns the last version of a document, or nil if there is none.
func readDocument(dataDir, id string) (map[string]any, error) {
	b, err := os.ReadFile(filepath.Join(dataDir, "meshcentral.db"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found map[string]any
	for line := range bytes.Lines(b) {
		var doc map[string]any
		// The last line may be half written.
		if json.Unmarshal(line, &doc) == nil && doc["_id"] == id {
			found = doc
			if doc["$$deleted"] == true {
				found = nil
			}
		}
	}
	return found, nil
}

// LoginKey returns the key that the server makes login cookies with, as `meshcentral --loginTokenKey` prints it: 160
// hexadecimal digits.
func (s *Server) LoginKey(t testing.TB) string {
	t.Helper()
	key, _ := s.Document(t, loginKeyID)["key"].(string)
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
	name := filepath.Join(s.dataDir, "meshcentral.db")
	stored, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(stored, []byte("\n")) { // the server was stopped while it wrote
		line = append([]byte("\n"), line...)
	}
	file, err := os.OpenFile(name, os.O_APPEND|os.O_WRONLY, 0)
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
