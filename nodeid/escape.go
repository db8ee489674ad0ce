package nodeid

// AppendEscaped appends the 64 characters of id to b with @ as %40 and $ as %24, as agents write it in the URL of a
// tunnel. Decoding is left to package net/url.
func (id NodeID) AppendEscaped(b []byte) []byte {
	var buf [TextSize]byte
	return appendEscaped(b, id.AppendTo(buf[:0]))
}

// AppendEscaped appends the 64 characters of id to b with @ as %40 and $ as %24.
func (id MeshID) AppendEscaped(b []byte) []byte {
	var buf [TextSize]byte
	return appendEscaped(b, id.AppendTo(buf[:0]))
}

func appendEscaped(b, text []byte) []byte {
	for _, c := range text {
		switch c {
		case '@':
			b = append(b, "%40"...)
		case '$':
			b = append(b, "%24"...)
		default:
			b = append(b, c)
		}
	}
	return b
}
