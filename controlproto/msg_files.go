package controlproto

import (
	"encoding/json"
	"time"
)

var fileActions = []Spec{
	{
		Action: "files", Request: func() Message { return new(Files) },
		Reply: func() Message { return new(FilesReply) }, Site: SiteFileAccess,
	},
	{
		Action: "fileoperation", Request: func() Message { return new(FileOperation) },
		Reply: func() Message { return new(FileOperation) }, Echo: EchoRequest, Site: SiteFileAccess,
	},
}

// Files asks for the files on the server. Client to server. Needs [SiteFileAccess]; silent if denied. (meshuser.js,
// serverCommandFiles)
//
//	{"action":"files"}
type Files struct {
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "files".
func (*Files) Action() string { return "files" }

func (*Files) reply() *FilesReply { return new(FilesReply) }

// FilesReply is the tree of the account's own files and those of its device groups ([ServerFiles]). It also comes
// unasked when they have changed. Server to client.
//
//	{"action":"files","filetree":{"n":"Root","f":{"user//admin":{"t":1,"n":"My Files","f":{"Public":{"t":2,"d":1795333098219}}}}}}
type FilesReply struct {
	Tree  FileEntry                  `json:"filetree,keep"`
	Extra map[string]json.RawMessage `json:"-"`
}

// Action is "files".
func (*FilesReply) Action() string { return "files" }

// FileType is the kind of a [FileEntry].
type FileType int

// Kinds of entries.
const (
	FileUserRoot  FileType = 1
	FileFolder    FileType = 2
	FileRegular   FileType = 3
	FileGroupRoot FileType = 4
)

// FileEntry is a file or folder on the server.
type FileEntry struct {
	Type     FileType                   `json:"t"`
	Name     string                     `json:"n"` // of a root
	Files    map[string]FileEntry       `json:"f"` // of roots and folders, by name
	Size     int64                      `json:"s"`
	Modified time.Time                  `json:"d,ms"`     // 111 milliseconds after 1970: not known
	MaxBytes *int64                     `json:"maxbytes"` // of roots; nil: no limit
	Extra    map[string]json.RawMessage `json:"-"`
}

// FileOp is what [FileOperation] does.
type FileOp string

// Operations.
const (
	FileCreateFolder FileOp = "createfolder" // NewFolder
	FileDelete       FileOp = "delete"       // Delete, Recursive
	FileRename       FileOp = "rename"       // OldName, NewName
	FileCopy         FileOp = "copy"         // Names from Source
	FileMove         FileOp = "move"         // Names from Source
	FileGet          FileOp = "get"          // File; the only one that is answered
	FileSet          FileOp = "set"          // File, Data
)

// FileOperation changes files on the server, or gets a short one. Client to server. Needs [SiteFileAccess], for the
// files of a device group also [ServerFiles].
//
//	{"action":"fileoperation","fileop":"createfolder","path":["user//admin","Public"],"newfolder":"x"}
//
// Operations are followed by a [FilesReply]. [FileGet] is answered by the request with Data, for files under 204800
// bytes; else silent. Names hold none of \ / : * ? " < > |, do not start with a dot and are no device of DOS.
// (meshuser.js, case 'fileoperation')
type FileOperation struct {
	Op        FileOp                     `json:"fileop"`
	Path      []string                   `json:"path"` // id of the root, then folders
	NewFolder string                     `json:"newfolder"`
	Delete    []string                   `json:"delfiles"`
	Recursive bool                       `json:"rec"`
	OldName   string                     `json:"oldname"`
	NewName   string                     `json:"newname"`
	Source    []string                   `json:"scpath"`
	Names     []string                   `json:"names"`
	File      string                     `json:"file"`
	Data      []byte                     `json:"data"` // base64
	Extra     map[string]json.RawMessage `json:"-"`
}

// Action is "fileoperation".
func (*FileOperation) Action() string { return "fileoperation" }

func (*FileOperation) reply() *FileOperation { return new(FileOperation) }
