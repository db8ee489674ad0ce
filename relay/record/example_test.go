package record_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/meshcentral-go/sdk/internal/msgconn"
	"github.com/meshcentral-go/sdk/relay/record"
)

func Example() {
	var file bytes.Buffer
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	w, err := record.NewWriter(&file, record.Metadata{UserName: "admin", DeviceName: "d1", Protocol: 1}, start, record.WriterConfig{})
	if err != nil {
		fmt.Println(err)
		return
	}
	w.Write(start.Add(time.Second), record.User, msgconn.Binary, []byte("ls\r"))
	w.Write(start.Add(3*time.Second), record.Device, msgconn.Binary, []byte("notes.txt"))
	w.Close(start.Add(9 * time.Second))

	r, err := record.NewReader(bytes.NewReader(file.Bytes()), int64(file.Len()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(r.Metadata().UserName, "on", r.Metadata().DeviceName)
	for {
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%v %q from user: %v\n", b.At, b.Payload, b.From() == record.User)
	}
	// Output:
	// admin on d1
	// 0s "ls\r" from user: true
	// 2s "notes.txt" from user: false
}
