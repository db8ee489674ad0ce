package wsmantest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
)

const (
	screenWidth, screenHeight = 320, 200
	screenName                = "Intel(r) AMT KVM"
	maxCutText                = 64 << 10
)

// serveScreen is the default of Config.KVM: a small RFB server with a picture that does not change, RGB565 and raw alone, as
// the firmware begins with. Firmware before version 12 names itself "RFB 004.000".
func (d *Device) serveScreen(_ context.Context, conn net.Conn) error {
	if _, err := io.WriteString(conn, d.prof.rfb+"\n"); err != nil {
		return err
	}
	var b [20]byte
	if _, err := io.ReadFull(conn, b[:12]); err != nil { // the client's version
		return err
	}
	if _, err := conn.Write([]byte{1, 1}); err != nil { // one security type: none
		return err
	}
	if _, err := io.ReadFull(conn, b[:1]); err != nil || b[0] != 1 {
		return err
	}
	if _, err := conn.Write(make([]byte, 4)); err != nil { // it is done
		return err
	}
	if _, err := io.ReadFull(conn, b[:1]); err != nil { // shared
		return err
	}
	hello := binary.BigEndian.AppendUint16(nil, screenWidth)
	hello = binary.BigEndian.AppendUint16(hello, screenHeight)
	hello = append(hello, 16, 16, 0, 1, 0, 31, 0, 63, 0, 31, 11, 5, 0, 0, 0, 0)
	hello = binary.BigEndian.AppendUint32(hello, uint32(len(screenName)))
	if _, err := conn.Write(append(hello, screenName...)); err != nil {
		return err
	}
	for {
		if err := serveMessage(conn, &b); err != nil {
			return err
		}
	}
}

// serveMessage takes one message of an RFB client.
func serveMessage(conn net.Conn, b *[20]byte) error {
	if _, err := io.ReadFull(conn, b[:1]); err != nil {
		return err
	}
	skip := func(n int64) error {
		_, err := io.CopyN(io.Discard, conn, n)
		return err
	}
	switch b[0] {
	case 0: // SetPixelFormat
		return skip(19)
	case 2: // SetEncodings
		if _, err := io.ReadFull(conn, b[:3]); err != nil {
			return err
		}
		return skip(4 * int64(binary.BigEndian.Uint16(b[1:])))
	case 3: // FramebufferUpdateRequest
		if _, err := io.ReadFull(conn, b[:9]); err != nil {
			return err
		}
		if b[0] != 0 {
			return nil // an incremental one: nothing has changed
		}
		_, err := conn.Write(picture())
		return err
	case 4: // KeyEvent
		return skip(7)
	case 5: // PointerEvent
		return skip(5)
	case 6: // ClientCutText
		if _, err := io.ReadFull(conn, b[:7]); err != nil {
			return err
		}
		if n := int64(binary.BigEndian.Uint32(b[3:])); n <= maxCutText {
			return skip(n)
		}
	}
	return io.ErrUnexpectedEOF
}

// picture is an update of the whole screen: a gradient.
func picture() []byte {
	b := []byte{0, 0, 0, 1, 0, 0, 0, 0}
	b = binary.BigEndian.AppendUint16(b, screenWidth)
	b = binary.BigEndian.AppendUint16(b, screenHeight)
	b = append(b, 0, 0, 0, 0)
	for y := range screenHeight {
		for x := range screenWidth {
			b = binary.LittleEndian.AppendUint16(b, uint16(x*31/screenWidth<<11|y*63/screenHeight<<5))
		}
	}
	return b
}
