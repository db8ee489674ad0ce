package agenttest

import (
	"crypto/x509"
	"net/http"
)

// network does not exist here: a program in a browser can not listen, so every [Server] is in memory.
type network struct{}

func (*network) certificate() *x509.Certificate { return nil }
func (*network) client() *http.Client           { return nil }

func (*Server) listen() {}
func (*Server) serve()  {}
func (*Server) stop()   {}
