package files

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Message is a message of a tunnel with files.
type Message interface{ message() }

// ID is what a request is known by ("reqid", and "id" of downloads): JSON text or a number, which the device gives back as it
// is. The browser's are numbers.
type ID json.RawMessage

// TextID makes an ID of text.
func TextID(s string) ID { return ID(jsonrec.AppendString(nil, s)) }

// AppendJSONRec writes the ID as it came.
func (id ID) AppendJSONRec(b []byte) ([]byte, error) {
	if len(id) == 0 {
		return append(b, "null"...), nil
	}
	if !json.Valid(id) {
		return b, fmt.Errorf("%w: id %.64q", ErrMessage, []byte(id))
	}
	return append(b, id...), nil
}

// maxID bounds an ID.
const maxID = 1024

// UnmarshalJSONRec takes text and numbers. Bytes that are no UTF-8 become U+FFFD, as everywhere: the answer may be a text message.
func (id *ID) UnmarshalJSONRec(raw []byte) error {
	var clean json.RawMessage
	if err := jsonrec.Unmarshal(raw, &clean); err != nil {
		return err
	}
	if len(clean) > maxID || clean[0] == '{' || clean[0] == '[' {
		return ErrMessage
	}
	*id = ID(clean)
	return nil
}

// Ready is what the server says to both ends when they have met: text "c", or "cr" if it records.
type Ready struct{ Recorded bool }

// Start is the number of the protocol as text: "5".
//
// Direction: operator to device, once. meshcore.js, onTunnelData.
type Start struct{ Protocol int }

// Control is a message of the tunnel itself, between those about files: it has the marker "ctrlChannel".
//
//	{"ctrlChannel":"102938","type":"ping"}
//
// Types are "ping" and "pong" (any), "rtt" (operator, echoed with its Time), "close" and "options" (operator), "console" (device:
// a line for the operator, as while its user is asked). meshcore.js, onTunnelControlData.
type Control struct {
	Channel string                     `json:"ctrlChannel"`
	Type    string                     `json:"type,keep"`
	Msg     *string                    `json:"msg"`
	MsgID   *int                       `json:"msgid"`
	Time    json.RawMessage            `json:"time"`
	Extra   map[string]json.RawMessage `json:"-"`
}

// Marker is the Channel of control messages.
const Marker = "102938"

// List asks for what is in a folder. The answer is a [Listing].
//
//	{"action":"ls","reqid":1,"path":"/etc"}
//
// Direction: operator to device. meshcore.js, case 'ls'.
type List struct {
	RequestID ID                         `json:"reqid"`
	Path      string                     `json:"path,keep"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Listing is what is in a folder; without Dir there is no such folder. It has no action. The path may have got a slash in front.
//
//	{"path":"/etc","dir":[{"n":"apt","t":2,"d":"2024-05-06T07:08:09.000Z"},{"n":"fstab","t":3,"s":321,"d":"..."}],"reqid":1}
//
// Direction: device to operator, binary.
type Listing struct {
	Path      string                     `json:"path,keep"`
	Dir       []Entry                    `json:"dir,null"`
	RequestID ID                         `json:"reqid"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// EntryType tells what an [Entry] is.
type EntryType int

// Types of entries. Links show as what they lead to.
const (
	TypeDrive  EntryType = 1 // of a Windows, in the listing of the empty path
	TypeFolder EntryType = 2
	TypeFile   EntryType = 3 // and everything else
)

// Entry is one file, folder or drive. Its name is the device's, not to be trusted: see [Entry.LocalName].
type Entry struct {
	Name      string                     `json:"n,keep"`
	Type      EntryType                  `json:"t,keep"`
	DriveType string                     `json:"dt"` // FIXED, REMOVABLE, CDROM ...
	Size      int64                      `json:"s"`
	Free      int64                      `json:"f"` // of a drive
	ModTime   time.Time                  `json:"d,iso"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// IsDir says whether there can be something in it.
func (e *Entry) IsDir() bool { return e.Type == TypeFolder || e.Type == TypeDrive }

// AppendJSONRec writes the size of files also if it is zero, as devices do.
func (e Entry) AppendJSONRec(b []byte) ([]byte, error) {
	type plain Entry
	if e.Type != TypeFile && e.Type != TypeDrive {
		return jsonrec.Append(b, (*plain)(&e))
	}
	sized := sizedEntry(e)
	return jsonrec.Append(b, &sized)
}

// UnmarshalJSONRec reads an entry.
func (e *Entry) UnmarshalJSONRec(raw []byte) error {
	type plain Entry
	return jsonrec.Unmarshal(raw, (*plain)(e))
}

// sizedEntry is an Entry whose size is always written.
type sizedEntry struct {
	Name      string                     `json:"n,keep"`
	Type      EntryType                  `json:"t,keep"`
	DriveType string                     `json:"dt"`
	Size      int64                      `json:"s,keep"`
	Free      int64                      `json:"f"`
	ModTime   time.Time                  `json:"d,iso"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Mkdir makes a folder. There is no answer.
//
//	{"action":"mkdir","reqid":1,"path":"/srv/new"}
//
// Direction: operator to device. meshcore.js, case 'mkdir'.
type Mkdir struct {
	RequestID ID                         `json:"reqid"`
	Path      string                     `json:"path,keep"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Remove removes files and folders of a folder. Folders that are not empty need Recursive; stock agents then follow links. There
// is no answer.
//
//	{"action":"rm","reqid":1,"path":"/srv","delfiles":["a","b"],"rec":true}
//
// Direction: operator to device. meshcore.js, case 'rm'.
type Remove struct {
	RequestID ID                         `json:"reqid"`
	Path      string                     `json:"path,keep"`
	Names     []string                   `json:"delfiles"`
	Recursive bool                       `json:"rec,keep"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Rename gives something another name within its folder. There is no answer.
//
//	{"action":"rename","reqid":1,"path":"/srv","oldname":"a","newname":"b"}
//
// Direction: operator to device. meshcore.js, case 'rename'.
type Rename struct {
	RequestID ID                         `json:"reqid"`
	Path      string                     `json:"path,keep"`
	OldName   string                     `json:"oldname,keep"`
	NewName   string                     `json:"newname,keep"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Copy copies files, not folders, from one folder to another. There is no answer.
//
//	{"action":"copy","reqid":1,"scpath":"/srv","dspath":"/tmp","names":["a"]}
//
// Direction: operator to device. meshcore.js, case 'copy'.
type Copy struct {
	RequestID ID                         `json:"reqid"`
	From      string                     `json:"scpath,keep"`
	To        string                     `json:"dspath,keep"`
	Names     []string                   `json:"names"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Move copies files and removes them at the first place. See [Copy].
//
//	{"action":"move","reqid":1,"scpath":"/srv","dspath":"/tmp","names":["a"]}
//
// Direction: operator to device. meshcore.js, case 'move'.
type Move struct {
	RequestID ID                         `json:"reqid"`
	From      string                     `json:"scpath,keep"`
	To        string                     `json:"dspath,keep"`
	Names     []string                   `json:"names"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// OpenOnDesktop opens a file on the desktop of the device's user: {"action":"open","path":"/srv/a.pdf"}. There is no answer.
//
// Direction: operator to device. meshcore.js, case 'open'.
type OpenOnDesktop struct {
	Path  string                     `json:"path,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// MarkCoreDump has the agent remember that its core dump was seen: {"action":"markcoredump"}. There is no answer.
//
// Direction: operator to device. meshcore.js, case 'markcoredump'.
type MarkCoreDump struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Find looks for files whose names match a pattern, at any depth. The answers are [Found].
//
//	{"action":"findfile","reqid":1,"path":"/srv","filter":"*.txt"}
//
// Direction: operator to device. meshcore.js, case 'findfile'.
type Find struct {
	RequestID ID                         `json:"reqid"`
	Path      string                     `json:"path,keep"`
	Filter    string                     `json:"filter,keep"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Found is a file that was found, its path following that of the request; without one the search has ended.
//
//	{"action":"findfile","r":"/sub/a.txt","reqid":1}
//
// Direction: device to operator, binary.
type Found struct {
	Path      *string                    `json:"r,null"`
	RequestID ID                         `json:"reqid"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// CancelFind ends a search: {"action":"cancelfindfile","reqid":1}.
//
// Direction: operator to device. meshcore.js, case 'cancelfindfile'.
type CancelFind struct {
	RequestID ID                         `json:"reqid"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Zip packs files and folders of a folder. What comes of it is told by [Dialog] and [Refresh]; while one is made, others are
// ignored.
//
//	{"action":"zip","path":"/srv","files":["a","b"],"output":"ab.zip"}
//
// Direction: operator to device. meshcore.js, case 'zip'.
type Zip struct {
	Path   string                     `json:"path,keep"`
	Files  []string                   `json:"files"`
	Output string                     `json:"output,keep"`
	Extra  map[string]json.RawMessage `json:"-"`
}

// Unzip unpacks a file into a folder. See [Zip].
//
//	{"action":"unzip","input":"/srv/ab.zip","dest":"/srv/new"}
//
// Direction: operator to device. meshcore.js, case 'unzip'.
type Unzip struct {
	Input string                     `json:"input,keep"`
	Dest  string                     `json:"dest,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Cancel ends the packing of a file, which is removed: {"action":"cancel"}.
//
// Direction: operator to device. meshcore.js, case 'cancel'.
type Cancel struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Dialog is what is going on with packed files: "zipping", "zippingFile" (with File and Progress in percent), "unzipping",
// "unziperror", and nil when it is over.
//
//	{"action":"dialogmessage","msg":"zippingFile","file":"a","progress":40}
//
// Direction: device to operator, binary.
type Dialog struct {
	Msg      *string                    `json:"msg,null"`
	File     string                     `json:"file"`
	Progress float64                    `json:"progress"`
	Error    json.RawMessage            `json:"error"`
	Extra    map[string]json.RawMessage `json:"-"`
}

// Refresh says that a folder has changed: {"action":"refresh"}.
//
// Direction: device to operator, binary.
type Refresh struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Upload opens a file for writing, to replace it or to write on at its end. The answer is [UploadStart] or [UploadError]. The size
// is not used by stock agents. An upload that is open ends.
//
//	{"action":"upload","reqid":"up","path":"/srv/dl/","name":"up.txt","size":13}
//
// Direction: operator to device. meshcore.js, case 'upload'.
type Upload struct {
	RequestID ID                         `json:"reqid"`
	Path      string                     `json:"path,keep"`
	Name      string                     `json:"name"`
	Size      *int64                     `json:"size"`
	Append    bool                       `json:"append"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// UploadStart says that a file is open: {"action":"uploadstart","reqid":"up"}.
//
// Direction: device to operator, binary.
type UploadStart struct {
	RequestID ID                         `json:"reqid"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// UploadAck says that a block is written: {"action":"uploadack","reqid":"up"}.
//
// Direction: device to operator, binary.
type UploadAck struct {
	RequestID ID                         `json:"reqid"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// UploadError says that a file could not be opened, or, then without an id, that a block could not be written.
//
//	{"action":"uploaderror","reqid":"up"}
//
// Direction: device to operator, binary.
type UploadError struct {
	RequestID ID                         `json:"reqid"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// UploadDone says that all blocks were sent, and in the other direction that the file is closed.
//
//	{"action":"uploaddone","reqid":"up"}
//
// Direction: both, binary from the device. meshcore.js, case 'uploaddone'.
type UploadDone struct {
	RequestID ID                         `json:"reqid"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// UploadCancel has the file closed and removed, with all that was in it before; in the other direction, that it is.
//
//	{"action":"uploadcancel","reqid":"up"}
//
// Direction: both, binary from the device. meshcore.js, case 'uploadcancel'.
type UploadCancel struct {
	RequestID ID                         `json:"reqid"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// UploadHash asks for the SHA-384 of a file; Tag comes back with the answer, which is a [Hash].
//
//	{"action":"uploadhash","reqid":"h1","path":"/srv","name":"a","tag":{}}
//
// Direction: operator to device. meshcore.js, case 'uploadhash'.
type UploadHash struct {
	RequestID ID                         `json:"reqid"`
	Path      string                     `json:"path,keep"`
	Name      string                     `json:"name"`
	Tag       json.RawMessage            `json:"tag"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// Hash is the SHA-384 of a file in hex, upper case from stock agents; nil if it cannot be read.
//
//	{"action":"uploadhash","reqid":"h1","path":"/srv","name":"a","tag":{},"hash":"38B0..."}
//
// Direction: device to operator, binary.
type Hash struct {
	RequestID ID                         `json:"reqid"`
	Path      string                     `json:"path,keep"`
	Name      string                     `json:"name"`
	Tag       json.RawMessage            `json:"tag"`
	Hash      *string                    `json:"hash,null"`
	Extra     map[string]json.RawMessage `json:"-"`
}

// DownloadStep is the member "sub" of a [Download].
type DownloadStep string

// Steps of a download.
const (
	DownloadStart    DownloadStep = "start"    // operator: open the file; device: it is open
	DownloadStartAck DownloadStep = "startack" // operator: send blocks
	DownloadAck      DownloadStep = "ack"      // operator: send one more
	DownloadStop     DownloadStep = "stop"     // operator: no more
	DownloadCancel   DownloadStep = "cancel"   // device: the file cannot be read
)

// Download is a step of a download. Ack, with startack, is how many blocks the device shall send at first; stock agents send one
// whatever it says.
//
//	{"action":"download","sub":"start","id":"/etc/hostname","path":"/etc/hostname"}
//
// Direction: both, text in both. meshcore.js, case 'download'.
type Download struct {
	Step  DownloadStep               `json:"sub,keep"`
	ID    ID                         `json:"id"`
	Path  *string                    `json:"path"`
	Ask   string                     `json:"ask"` // "coredump", instead of a path
	Ack   *int                       `json:"ack"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Unknown is a message with another action. Its members are in Extra.
type Unknown struct {
	Name  string                     `json:"-"` // the action
	Extra map[string]json.RawMessage `json:"-"`
}

// Chunk is a piece of an uploaded file, a binary message. One that begins like JSON or with a zero has a zero before it.
//
// Direction: operator to device, while an upload is open. meshcore.js, onTunnelData.
type Chunk []byte

// Block is a piece of a downloaded file, a binary message:
//
//	u32 flags   0x01000000, and 1 in the last block
//	data        up to 16380 bytes; fewer are the last block
//
// Direction: device to operator. meshcore.js, case 'download'.
type Block struct {
	Last bool
	Data []byte
}

const (
	blockHeader = 4
	blockFlags  = 0x01000000
	blockLast   = 1
	// MaxBlock is how much of a file is in a block of a stock agent, and of [Serve].
	MaxBlock = 16380
	// maxBlockRead is what the operator's end takes.
	maxBlockRead = 64 << 10
)

// parseBlock reads a block. Data aliases b.
func parseBlock(b []byte) (Block, error) {
	if len(b) < blockHeader || len(b) > blockHeader+maxBlockRead {
		return Block{}, fmt.Errorf("%w: a block of %d bytes", ErrMessage, len(b))
	}
	flags := binary.BigEndian.Uint32(b)
	if flags&^blockLast != blockFlags {
		return Block{}, fmt.Errorf("%w: a block with the flags %08x", ErrMessage, flags)
	}
	return Block{Last: flags&blockLast != 0, Data: b[blockHeader:]}, nil
}
