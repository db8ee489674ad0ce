package controlserver

import (
	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// Messages are read leniently, but some requests are refused for the shape of a member alone.

// shapeOf returns the first character of a member of a request: a digit or "-" for a number, t or f for a bool, a quote,
// a bracket. 0 is a member that is not there, or null.
func shapeOf(c *controlproto.Call, name string) byte {
	m, err := jsonrec.Peek(c.Raw, name)
	if err != nil || len(m[0]) == 0 || m[0][0] == 'n' {
		return 0
	}
	return m[0][0]
}

// isNumber tells whether a member of a request is there and a number.
func isNumber(c *controlproto.Call, name string) bool {
	b := shapeOf(c, name)
	return b == '-' || b >= '0' && b <= '9'
}

// isBool tells whether a member of a request is there and true or false.
func isBool(c *controlproto.Call, name string) bool {
	b := shapeOf(c, name)
	return b == 't' || b == 'f'
}
