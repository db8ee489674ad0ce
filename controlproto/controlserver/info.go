package controlserver

import (
	"time"

	"github.com/meshcentral-go/sdk/controlproto"
)

// serverInfo is what a session is told of the server.
func (s *Server) serverInfo(c *controlproto.Session) controlproto.ServerDetails {
	d := s.domains[c.Domain()]
	i := s.cfg.Info(c.Domain())
	i.Domain, i.Time, i.HTTPS = c.Domain(), s.cfg.Now(), true
	if len(i.Languages) == 0 {
		i.Languages = []string{"en"}
	}
	if d.NoTwoFactor {
		i.Features &^= controlproto.FeatureTwoFactor
	} else {
		i.Features |= controlproto.FeatureTwoFactor
	}
	if s.cfg.WANOnly {
		i.Features |= controlproto.FeatureWANOnly
	}
	if s.cfg.Files == nil {
		i.Features |= controlproto.FeatureNoServerFiles
	}
	if !d.NoLoginTokens {
		i.Features2 |= controlproto.Feature2LoginTokens
	}
	if c.Login().TokenName != "" {
		i.Features2 |= controlproto.Feature2TokenSession
	}
	if d.NoClipboardGet {
		i.Features2 |= controlproto.Feature2NoClipboardGet
	}
	if d.NoClipboardSet {
		i.Features2 |= controlproto.Feature2NoClipboardSet
	}
	i.Consent, i.MaxDeviceView, i.IdleTimeout = d.Consent, d.MaxDeviceView, d.IdleTimeout/time.Millisecond*time.Millisecond
	if d.NoGuestSharing {
		no := false
		i.GuestSharing = &no
	}
	for _, script := range d.Scripts {
		i.Scripts = append(i.Scripts, controlproto.ConfiguredScript{Name: script.Name, Type: int(script.Type)})
	}
	if a := s.account(c.UserID()); a != nil {
		i.ManageAllGroups = s.managesAll(a)
		if !a.SiteRights.Full() {
			i.CertExpires = time.Time{}
		}
	}
	return i
}
