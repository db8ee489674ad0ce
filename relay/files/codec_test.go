package files

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// recorded is a message of a recorded tunnel.
type recorded struct {
	Dir  string  `json:"dir"`
	Text *string `json:"text"`
	Hex  string  `json:"hex"`

	operator bool
}

func (r recorded) message(t testing.TB) (Type, []byte) {
	if r.Text != nil {
		return Text, []byte(*r.Text)
	}
	b, err := hex.DecodeString(r.Hex)
	require.NoError(t, err)
	return Binary, b
}

// recording is what passed through a recorded tunnel. The operator is the client of one recording, the server's side of the
// other.
func recording(t testing.TB, verb, end string) []recorded {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "relay-"+verb+"-"+end+".jsonl"))
	require.NoError(t, err)
	defer f.Close()
	var all []recorded
	for in := bufio.NewScanner(f); in.Scan(); {
		var r recorded
		require.NoError(t, json.Unmarshal(in.Bytes(), &r))
		if r.Text == nil && r.Hex == "" || r.Dir == "" {
			continue
		}
		r.operator = (r.Dir == "client") == (end == "viewer")
		all = append(all, r)
	}
	require.NotEmpty(t, all)
	return all
}

func parse(r recorded, typ Type, b []byte, uploading bool) (Message, error) {
	if r.operator {
		return ParseRequest(typ, b, uploading)
	}
	return ParseReply(typ, b)
}

// Recorded sessions decode and encode to the same bytes.
func TestRecordings(t *testing.T) {
	size := int64(13)
	hostname := "/etc/hostname"
	id := TextID(hostname)
	want := map[string][]Message{
		"upload": {
			Ready{}, Start{5}, &Upload{RequestID: TextID("up"), Path: "/srv/dl/", Name: "up.txt", Size: &size},
			&UploadStart{RequestID: TextID("up")}, Chunk("hello upload\n"), &UploadAck{RequestID: TextID("up")},
		},
		"download": {
			Ready{}, Start{5}, &Download{Step: DownloadStart, ID: id, Path: &hostname}, &Download{Step: DownloadStart, ID: id},
			&Download{Step: DownloadStartAck, ID: id}, Block{Last: true, Data: []byte("vm\n")},
		},
	}
	for verb, want := range want {
		for _, end := range []string{"viewer", "agent"} {
			var got []Message
			uploading := false
			for _, r := range recording(t, verb, end) {
				typ, b := r.message(t)
				m, err := parse(r, typ, b, uploading)
				require.NoError(t, err, "%q", b)
				if _, ok := m.(*UploadStart); ok {
					uploading = true
				}
				outType, out, err := Append(nil, m)
				require.NoError(t, err)
				require.Equal(t, typ, outType, "%q", b)
				require.Equal(t, string(b), string(out))
				got = append(got, m)
			}
			require.Equal(t, want, got)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestMessages(t *testing.T) {
	at := time.Date(2024, 5, 6, 7, 8, 9, 10e6, time.UTC)
	raw := func(s string) json.RawMessage { return json.RawMessage(s) }
	requests := map[string]Message{
		`{"action":"ls","reqid":1,"path":""}`:                                             &List{RequestID: ID("1")},
		`{"action":"ls","path":"/","x":{}}`:                                               &List{Path: "/", Extra: map[string]json.RawMessage{"x": raw("{}")}},
		`{"action":"mkdir","reqid":1,"path":"/a"}`:                                        &Mkdir{ID("1"), "/a", nil},
		`{"action":"rm","reqid":"1","path":"/","delfiles":["a","b"],"rec":true}`:          &Remove{TextID("1"), "/", []string{"a", "b"}, true, nil},
		`{"action":"rename","reqid":1,"path":"/","oldname":"a","newname":"b"}`:            &Rename{ID("1"), "/", "a", "b", nil},
		`{"action":"copy","reqid":1,"scpath":"/a","dspath":"/b","names":["c"]}`:           &Copy{ID("1"), "/a", "/b", []string{"c"}, nil},
		`{"action":"move","reqid":1,"scpath":"/a","dspath":"/b","names":["c"]}`:           &Move{ID("1"), "/a", "/b", []string{"c"}, nil},
		`{"action":"open","path":"/a"}`:                                                   &OpenOnDesktop{Path: "/a"},
		`{"action":"markcoredump"}`:                                                       &MarkCoreDump{},
		`{"action":"findfile","reqid":1,"path":"/","filter":"*.<txt>"}`:                   &Find{ID("1"), "/", "*.<txt>", nil},
		`{"action":"cancelfindfile","reqid":1}`:                                           &CancelFind{ID("1"), nil},
		`{"action":"zip","path":"/","files":["a"],"output":"o.zip"}`:                      &Zip{"/", []string{"a"}, "o.zip", nil},
		`{"action":"unzip","input":"/o.zip","dest":"/d"}`:                                 &Unzip{"/o.zip", "/d", nil},
		`{"action":"cancel"}`:                                                             &Cancel{},
		`{"action":"upload","reqid":1,"path":"/a","name":"b","size":0,"append":true}`:     &Upload{ID("1"), "/a", "b", ptr(int64(0)), true, nil},
		`{"action":"uploaddone","reqid":1}`:                                               &UploadDone{ID("1"), nil},
		`{"action":"uploadcancel","reqid":1}`:                                             &UploadCancel{ID("1"), nil},
		`{"action":"uploadhash","reqid":1,"path":"/a","name":"b","tag":{"h":"00","s":1}}`: &UploadHash{ID("1"), "/a", "b", raw(`{"h":"00","s":1}`), nil},
		`{"action":"download","sub":"start","id":7,"ask":"coredump"}`:                     &Download{Step: DownloadStart, ID: ID("7"), Ask: "coredump"},
		`{"action":"download","sub":"startack","id":7,"ack":8}`:                           &Download{Step: DownloadStartAck, ID: ID("7"), Ack: ptr(8)},
		`{"action":"sync","path":"/"}`:                                                    &Unknown{"sync", map[string]json.RawMessage{"path": raw(`"/"`)}},
		`{"ctrlChannel":"102938","type":"ping"}`:                                          &Control{Channel: Marker, Type: "ping"},
		`{"ctrlChannel":"102938","type":"options","consent":32}`:                          &Control{Channel: Marker, Type: "options", Extra: map[string]json.RawMessage{"consent": raw("32")}},
		`{"ctrlChannel":"102938","type":"rtt","time":1.5}`:                                &Control{Channel: Marker, Type: "rtt", Time: raw("1.5")},
	}
	replies := map[string]Message{
		`{"path":"/","dir":null,"reqid":1}`: &Listing{Path: "/", RequestID: ID("1")},
		`{"path":"/","dir":[{"n":"a","t":2,"d":"2024-05-06T07:08:09.010Z"},{"n":"b","t":3,"s":0,"d":"2024-05-06T07:08:09.010Z"}],"reqid":"r"}`: &Listing{
			Path: "/", RequestID: TextID("r"),
			Dir: []Entry{{Name: "a", Type: TypeFolder, ModTime: at}, {Name: "b", Type: TypeFile, ModTime: at}},
		},
		`{"path":"","dir":[{"n":"C:","t":1,"dt":"FIXED","s":100,"f":50}]}`: &Listing{
			Dir: []Entry{{Name: "C:", Type: TypeDrive, DriveType: "FIXED", Size: 100, Free: 50}},
		},
		`{"action":"findfile","r":"/a","reqid":1}`:                                     &Found{ptr("/a"), ID("1"), nil},
		`{"action":"findfile","r":null,"reqid":1}`:                                     &Found{nil, ID("1"), nil},
		`{"action":"dialogmessage","msg":"zippingFile","file":"a","progress":40}`:      &Dialog{Msg: ptr("zippingFile"), File: "a", Progress: 40},
		`{"action":"dialogmessage","msg":null}`:                                        &Dialog{},
		`{"action":"dialogmessage","msg":"unziperror","error":"bad"}`:                  &Dialog{Msg: ptr("unziperror"), Error: raw(`"bad"`)},
		`{"action":"refresh"}`:                                                         &Refresh{},
		`{"action":"uploadstart","reqid":1}`:                                           &UploadStart{ID("1"), nil},
		`{"action":"uploadack","reqid":1}`:                                             &UploadAck{ID("1"), nil},
		`{"action":"uploaderror"}`:                                                     &UploadError{},
		`{"action":"uploaddone","reqid":1}`:                                            &UploadDone{ID("1"), nil},
		`{"action":"uploadhash","reqid":1,"path":"/a","name":"b","tag":1,"hash":"AB"}`: &Hash{ID("1"), "/a", "b", raw("1"), ptr("AB"), nil},
		`{"action":"uploadhash","reqid":1,"path":"/a","hash":null}`:                    &Hash{RequestID: ID("1"), Path: "/a"},
		`{"action":"download","sub":"cancel","id":7}`:                                  &Download{Step: DownloadCancel, ID: ID("7")},
		`{"ctrlChannel":"102938","type":"console","msg":"Waiting","msgid":1}`:          &Control{Channel: Marker, Type: "console", Msg: ptr("Waiting"), MsgID: ptr(1)},
	}
	check := func(text string, want Message, parse func([]byte) (Message, error)) {
		m, err := parse([]byte(text))
		require.NoError(t, err, text)
		require.Equal(t, want, m, text)
		_, b, err := Append([]byte("kept"), want)
		require.NoError(t, err)
		require.Equal(t, "kept"+text, string(b))
		for i := range len(text) {
			_, err := parse([]byte(text[:i]))
			require.ErrorIs(t, err, ErrMessage, text[:i])
		}
	}
	for text, want := range requests {
		check(text, want, func(b []byte) (Message, error) { return ParseRequest(Text, b, false) })
	}
	for text, want := range replies {
		check(text, want, func(b []byte) (Message, error) { return ParseReply(Text, b) })
	}
}

// Pieces of files are escaped when they begin like something else.
func TestChunks(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "\x00": "\x00\x00", "{": "\x00{", "\x00\x00a": "\x00\x00\x00a", `{"action":"cancel"}`: "\x00" + `{"action":"cancel"}`, "}{": "}{",
	} {
		typ, b, err := Append(nil, Chunk(in))
		require.NoError(t, err)
		require.Equal(t, Binary, typ)
		require.Equal(t, want, string(b))
		m, err := ParseRequest(typ, b, true)
		require.NoError(t, err)
		require.Equal(t, Chunk(in), m)
	}
	_, _, err := Append(nil, Chunk{})
	require.ErrorIs(t, err, ErrMessage)
	_, err = ParseRequest(Binary, []byte("data"), false)
	require.ErrorIs(t, err, ErrMessage, "no upload is open")
}

func TestBlocks(t *testing.T) {
	for want, b := range map[string]Block{"\x01\x00\x00\x00ab": {Data: []byte("ab")}, "\x01\x00\x00\x01": {Last: true, Data: []byte{}}} {
		typ, got, err := Append(nil, b)
		require.NoError(t, err)
		require.Equal(t, Binary, typ)
		require.Equal(t, want, string(got))
		m, err := ParseReply(typ, got)
		require.NoError(t, err)
		require.Equal(t, b, m)
	}
	for _, bad := range []string{"", "\x01", "\x01\x00\x00", "\x02\x00\x00\x00", "\x01\x00\x00\x02", "\x00\x00\x00\x00"} {
		_, err := ParseReply(Binary, []byte(bad))
		require.ErrorIs(t, err, ErrMessage)
	}
}

func FuzzParseRequest(f *testing.F) {
	for _, verb := range []string{"upload", "download"} {
		for _, r := range recording(f, verb, "viewer") {
			typ, b := r.message(f)
			f.Add(typ == Text, true, b)
		}
	}
	f.Fuzz(func(t *testing.T, text, uploading bool, b []byte) {
		fuzzRoundTrip(t, text, b, func(typ Type, b []byte) (Message, error) { return ParseRequest(typ, b, uploading) })
	})
}

func FuzzParseReply(f *testing.F) {
	for _, verb := range []string{"upload", "download"} {
		for _, r := range recording(f, verb, "agent") {
			typ, b := r.message(f)
			f.Add(typ == Text, b)
		}
	}
	f.Fuzz(func(t *testing.T, text bool, b []byte) { fuzzRoundTrip(t, text, b, ParseReply) })
}

func fuzzRoundTrip(t *testing.T, text bool, b []byte, parse func(Type, []byte) (Message, error)) {
	if len(b) > maxRequest/16 {
		return // near the bounds what is written may be beyond them: members that are always written, escapes
	}
	typ := Binary
	if text {
		typ = Text
	}
	m, err := parse(typ, b)
	if err != nil {
		return
	}
	if c, ok := m.(Chunk); ok && len(c) == 0 {
		return // is written nowhere, and never sent
	}
	sent, out, err := Append(nil, m)
	if err != nil {
		t.Fatalf("%#v does not encode: %v", m, err)
	}
	if sent == Text && !utf8.Valid(out) {
		t.Fatalf("%q is no text", out)
	}
	again, err := parse(sent, out)
	if err != nil {
		t.Fatalf("%q became %q, which does not decode: %v", b, out, err)
	}
	_, out2, err := Append(nil, again)
	if err != nil || string(out) != string(out2) {
		t.Fatalf("%q, then %q: %v", out, out2, err)
	}
}
