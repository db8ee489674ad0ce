package files

import (
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// upload is a file that is being written.
type upload struct {
	f    *os.File
	name string
	id   ID
	size int64
}

// target is the file that an upload or a hash is about.
func target(path, name string) (string, error) {
	folder, err := rooted(path)
	if err != nil || name == "" {
		return folder, err
	}
	return below(folder, name)
}

func (s *server) startUpload(m *Upload) error {
	_ = s.endUpload()
	name, err := target(m.Path, m.Name)
	if err == nil {
		err = s.allow("upload", true, name)
	}
	if err == nil && m.Size != nil && s.cfg.MaxUpload > 0 && *m.Size > s.cfg.MaxUpload {
		err = ErrTooLarge
	}
	var f *os.File
	if err == nil {
		flags := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
		if m.Append {
			flags = os.O_WRONLY | os.O_CREATE | os.O_APPEND
		}
		f, err = s.open(name, flags)
	}
	if err != nil {
		s.note("upload", err)
		return s.reply(Binary, &UploadError{RequestID: m.RequestID})
	}
	s.upload = &upload{f: f, name: name, id: m.RequestID}
	if m.Append {
		if info, err := f.Stat(); err == nil {
			s.upload.size = info.Size()
		}
	}
	return s.reply(Binary, &UploadStart{RequestID: m.RequestID})
}

// chunk writes a piece of the file. Without an upload it is dropped: it comes after one that failed.
func (s *server) chunk(b []byte) error {
	u := s.upload
	if u == nil {
		return nil
	}
	var err error
	if u.size += int64(len(b)); s.cfg.MaxUpload > 0 && u.size > s.cfg.MaxUpload {
		err = ErrTooLarge
	} else {
		_, err = u.f.Write(b)
	}
	if err != nil {
		s.note("upload", errors.Join(err, s.endUpload()))
		return s.reply(Binary, &UploadError{})
	}
	return s.reply(Binary, &UploadAck{RequestID: u.id})
}

func (s *server) endUpload() error {
	u := s.upload
	if u == nil {
		return nil
	}
	s.upload = nil
	return u.f.Close()
}

func (s *server) uploadDone() error {
	u := s.upload
	if u == nil {
		return nil
	}
	if err := s.endUpload(); err != nil { // the last chance of some file systems to say that a disk is full
		s.note("upload", err)
		return s.reply(Binary, &UploadError{RequestID: u.id})
	}
	return s.reply(Binary, &UploadDone{RequestID: u.id})
}

func (s *server) cancelUpload() error {
	u := s.upload
	if u == nil {
		return nil
	}
	s.note("uploadcancel", errors.Join(s.endUpload(), s.root.Remove(u.name)))
	return s.reply(Binary, &UploadCancel{RequestID: u.id})
}

// hash answers with the hash of a file.
func (s *server) hash(m *UploadHash) error {
	reply := &Hash{RequestID: m.RequestID, Path: m.Path, Name: m.Name, Tag: m.Tag}
	name, err := target(m.Path, m.Name)
	if err == nil {
		err = s.allow("uploadhash", false, name)
	}
	if err == nil {
		var sum string
		if sum, err = s.sum(name); err == nil {
			reply.Hash = &sum
		}
	}
	s.note("uploadhash", err)
	return s.reply(Binary, reply)
}

func (s *server) sum(name string) (string, error) {
	f, err := s.open(name, os.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha512.New384()
	if _, err := io.Copy(h, readerWith(s.ctx, f)); err != nil {
		return "", err
	}
	return strings.ToUpper(hex.EncodeToString(h.Sum(nil))), nil
}

// download is a file that is being read.
type download struct {
	f  *os.File
	id ID
}

func (s *server) endDownload() {
	if s.download != nil {
		s.download.f.Close()
		s.download = nil
	}
}

func (s *server) downloadStep(m *Download) error {
	d := s.download
	switch m.Step {
	case DownloadStart:
		return s.startDownload(m)
	case DownloadStop:
		if d != nil && string(d.id) == string(m.ID) {
			s.endDownload()
		}
	case DownloadStartAck, DownloadAck:
		if d == nil || string(d.id) != string(m.ID) {
			return nil // what came after the last block
		}
		blocks := 1
		if m.Step == DownloadStartAck && m.Ack != nil {
			blocks = min(max(*m.Ack, 1), maxFirst)
		}
		for ; blocks > 0 && s.download != nil; blocks-- {
			if err := s.sendBlock(); err != nil {
				return err
			}
		}
	case DownloadCancel: // is for operators
	}
	return nil
}

func (s *server) startDownload(m *Download) error {
	if d := s.download; d != nil {
		s.endDownload()
		if err := s.reply(Text, &Download{Step: DownloadCancel, ID: d.id}); err != nil {
			return err
		}
	}
	err := fmt.Errorf("%w: no path", ErrPath)
	var f *os.File
	if m.Path != nil {
		var name string
		if name, err = rooted(*m.Path); err == nil {
			err = s.allow("download", false, filepath.Clean(name))
		}
		if err == nil {
			f, err = s.open(name, os.O_RDONLY)
		}
	}
	if err != nil {
		s.note("download", err)
		return s.reply(Text, &Download{Step: DownloadCancel, ID: m.ID})
	}
	s.download = &download{f: f, id: m.ID}
	return s.reply(Text, &Download{Step: DownloadStart, ID: m.ID})
}

// sendBlock sends the next block. A file that cannot be read any more ends with a cancel.
func (s *server) sendBlock() error {
	d := s.download
	if s.block == nil {
		s.block = make([]byte, blockHeader+MaxBlock)
	}
	n, err := io.ReadFull(d.f, s.block[blockHeader:])
	last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !last {
		s.note("download", err)
		s.endDownload()
		return s.reply(Text, &Download{Step: DownloadCancel, ID: d.id})
	}
	if last {
		s.endDownload()
	}
	_, b, err := Append(s.block[:0], Block{Last: last, Data: s.block[blockHeader : blockHeader+n]})
	if err != nil {
		return err
	}
	return s.write(Binary, b)
}
