package controlserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"

	"github.com/meshcentral-go/sdk/controlproto"
)

// Tunnels is where the two ends of tunnels meet.
type Tunnels interface {
	// Announce is told of a tunnel request that is about to go to a device, and may change its URL. An error keeps it from
	// going: the URL is not one that devices shall open, or there are too many.
	Announce(r *TunnelRequest) error
	// Withdraw takes a request back: the device is not connected.
	Withdraw(r *TunnelRequest)
	// RightsChanged is told of accounts, groups, devices, shares and login tokens that were changed or removed, here or by
	// another server: tunnels of whoever may not have them any more are to be ended. See [TunnelHolds]. It is called within the
	// change, when memory is up to date, and must not wait.
	RightsChanged(changed []RecordKey)
}

// What a tunnel can be used for.
const (
	useSee = 1 << iota
	useInput
	useAllInput
	useTerminal
	useFiles
	usePorts
	useOther
)

// TunnelHolds says whether a tunnel that was opened with some rights on its device may go on with others: nothing that it can
// be used for has been taken away. The device was told the rights when it was opened, so that only its end takes them away. The
// protocol is the number in the tunnel's URL; without one it can be anything.
func TunnelHolds(protocol int, opened, now controlproto.Rights) bool {
	uses := useSee | useInput | useAllInput | useTerminal | useFiles | usePorts | useOther
	switch protocol {
	case 1, 6, 8, 9:
		uses = useTerminal
	case 2:
		uses = useSee | useInput | useAllInput
	case 4, 5, 10:
		uses = useFiles
	case 11, 12, 13, 14:
		uses = usePorts
	}
	had, has := tunnelUses(opened)&uses, tunnelUses(now)&uses
	return has != 0 && had&^has == 0
}

func tunnelUses(r controlproto.Rights) (uses int) {
	control := r.Has(controlproto.RemoteControl)
	for use, may := range map[int]bool{
		useSee:      (control || r.Has(controlproto.RemoteViewOnly)) && !r.Denies(controlproto.NoDesktop),
		useInput:    control && !r.Denies(controlproto.RemoteViewOnly) && !r.Denies(controlproto.NoDesktop),
		useAllInput: control && !r.Denies(controlproto.RemoteViewOnly|controlproto.NoDesktop|controlproto.LimitedInput),
		useTerminal: control && !r.Denies(controlproto.NoTerminal),
		useFiles:    control && !r.Denies(controlproto.NoFiles),
		usePorts:    control || r.Has(controlproto.RelayRight),
		useOther:    control,
	} {
		if may {
			uses |= use
		}
	}
	return uses
}

// TunnelRequest asks a device to open its end of a tunnel.
type TunnelRequest struct {
	User, Device controlproto.ID
	URL          controlproto.SecretURL // where: */[DOMAIN/]meshrelay.ashx?...&id=...&rauth=...
	// A port of the device, or of a machine that it reaches. An operator who connects his end sees that it is there.
	TCPPort, UDPPort uint16
	TCPAddr, UDPAddr string
	// Guest is the link of a guest, as Server.Guest has returned it, and Protocol what he wants of it. The account is that of who
	// made the link then. For Server.RequestTunnel alone.
	Guest    *controlproto.Share
	Protocol int
}

// ErrTunnelRefused is a tunnel request that is not passed on.
var ErrTunnelRefused = errors.New("controlserver: tunnel refused")

// maxTunnelAddress bounds the names of machines in tunnel requests.
const maxTunnelAddress = 253

func (r *TunnelRequest) valid() bool {
	for _, a := range []string{r.TCPAddr, r.UDPAddr} {
		if len(a) > maxTunnelAddress || strings.ContainsFunc(a, func(c rune) bool { return c <= ' ' || c == 0x7F }) {
			return false
		}
	}
	return true
}

// tellTunnels tells of what may end tunnels.
func (s *Server) tellTunnels(written []Record) {
	if s.cfg.Tunnels == nil {
		return
	}
	var keys []RecordKey
	for _, r := range written {
		switch r.Kind {
		case KindAccount, KindUserGroup, KindDeviceGroup, KindDevice, KindShare, KindLoginToken:
			keys = append(keys, RecordKey{r.Kind, r.ID})
		default: // says nothing of who may do what
		}
	}
	if len(keys) > 0 {
		s.cfg.Tunnels.RightsChanged(keys)
	}
}

// tunnelMsg is a tunnel request as an agent gets it. Nothing of what an operator sent is in it that is not named here.
type tunnelMsg struct {
	routedMsg
	Value           controlproto.SecretURL `json:"value"`
	Usage           int                    `json:"usage"`
	TCPPort         uint16                 `json:"tcpport"`
	TCPAddr         string                 `json:"tcpaddr"`
	UDPPort         uint16                 `json:"udpport"`
	UDPAddr         string                 `json:"udpaddr"`
	ServerTLSHash   string                 `json:"servertlshash"`
	ServerOptions   json.RawMessage        `json:"soptions"` // agents expect it
	GuestUserID     controlproto.ID        `json:"guestuserid"`
	GuestName       string                 `json:"guestname"`
	DesktopViewOnly bool                   `json:"desktopviewonly"`
	ResponseID      json.RawMessage        `json:"responseid"`
	Tag             json.RawMessage        `json:"tag"`
}

// sendTunnel announces a tunnel request and passes it on.
func (s *Server) sendTunnel(ctx context.Context, r *TunnelRequest, m *tunnelMsg) (sent bool, err error) {
	if !r.valid() {
		return false, nil
	}
	if s.cfg.Tunnels != nil {
		if err := s.cfg.Tunnels.Announce(r); err != nil {
			s.log.Warn("tunnel request refused", "user", r.User, "node", r.Device, "reason", err)
			return false, nil
		}
	}
	m.Value, m.TCPPort, m.TCPAddr, m.UDPPort, m.UDPAddr = r.URL, r.TCPPort, r.TCPAddr, r.UDPPort, r.UDPAddr
	m.ServerTLSHash = strings.ToLower(s.cfg.Info(r.User.Domain()).TLSHash)
	if m.ServerOptions == nil {
		m.ServerOptions = json.RawMessage("{}")
	}
	sent, err = s.sendTo(ctx, r.Device, m)
	if !sent && s.cfg.Tunnels != nil {
		s.cfg.Tunnels.Withdraw(r)
	}
	return sent, err
}

// RequestTunnel has a device open its end of a tunnel to a port, or for a guest, for an operator who did not ask himself: he has
// connected his end and said where it leads. The account needs RemoteControl or RelayRight on the device. The error is ErrTunnelRefused if it
// has not, and ErrNotConnected if there is no agent. (meshrelay.js, sendAgentMessage)
func (s *Server) RequestTunnel(ctx context.Context, r TunnelRequest, from netip.Addr) error {
	u, err := s.User(ctx, r.User)
	if err != nil {
		return err
	}
	d, err := s.Device(ctx, r.Device)
	if errors.Is(err, ErrNotFound) {
		return ErrTunnelRefused
	}
	if err != nil {
		return err
	}
	rights, visible := s.rights(u.ID, d.Group, d.ID)
	group := s.group(d.Group)
	if !visible || group == nil || u.ID.Domain() != d.Domain || rights&(controlproto.RemoteControl|controlproto.RelayRight) == 0 {
		return ErrTunnelRefused
	}
	m := &tunnelMsg{routedMsg: s.routed("tunnel", u, from, d, group, rights)}
	if r.Guest != nil {
		may, err := m.asGuest(r.Guest, r.Protocol, rights)
		if err != nil {
			return err
		}
		if !may || r.Guest.UserID != r.User || r.Guest.DeviceID != r.Device || r.TCPPort != 0 || r.UDPPort != 0 {
			return ErrTunnelRefused
		}
	}
	sent, err := s.sendTunnel(ctx, &r, m)
	if err == nil && !sent {
		err = ErrNotConnected
	}
	return err
}

// routed is a message to a device with what the server says of who sends it.
func (s *Server) routed(
	typ string, u *controlproto.User, from netip.Addr, d *controlproto.Device, g *controlproto.DeviceGroup, rights controlproto.Rights,
) routedMsg {
	return routedMsg{
		Action: "msg", Type: typ, Rights: rights, Consent: s.consent(u, d, g),
		Username: u.Name, RealName: u.RealName, UserID: u.ID, RemoteAddr: from.String(),
	}
}
