package controlserver

import "github.com/meshcentral-go/sdk/controlproto"

// Mux returns a new mux with all verbs of this package. Handlers that are registered after that take the place of ours.
func (s *Server) Mux() *controlproto.Mux {
	m := controlproto.NewMux()
	for _, register := range []func(*controlproto.Mux){
		s.listVerbs,
		s.runVerbs,
		s.messageVerbs,
		s.deviceVerbs,
		s.groupVerbs,
		s.userVerbs,
		s.userGroupVerbs,
		s.tokenVerbs,
		s.sessionVerbs,
		s.accountVerbs,
		s.twoFactorVerbs,
		s.serverVerbs,
		s.detailVerbs,
		s.noteVerbs,
		s.shareVerbs,
		s.powerVerbs,
		s.eventVerbs,
		s.reportVerbs,
		s.fileVerbs,
		s.agentVerbs,
		s.amtVerbs,
	} {
		register(m)
	}
	return m
}
