package wsmantest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"slices"

	"github.com/meshcentral-go/sdk/wsman/redir"
)

// Medium is what the computer read through IDE-R.
type Medium struct {
	Floppy bool // else a CD
	Size   int64
	SHA256 [32]byte
}

// buildPorts makes what answers on the redirection ports. It belongs to a realm.
func (d *Device) buildPorts() {
	cfg := redir.DeviceConfig{
		Realm: d.realm, Logger: d.log, HA1: d.redirectionUser, Start: d.mayStart, LoginTimeout: d.cfg.IdleTime, WriteTimeout: d.cfg.IdleTime,
		SOL: redir.Echo, IDER: d.readMedia,
		Trace: &redir.Trace{LoggedIn: d.sessionBegins, Ended: d.sessionEnds},
	}
	if d.cfg.SOL != nil {
		cfg.SOL = d.cfg.SOL
	}
	if d.cfg.IDER != nil {
		cfg.IDER = d.cfg.IDER
	}
	if !d.cfg.NoKVM {
		cfg.KVM = d.cfg.KVM
		if cfg.KVM == nil {
			cfg.KVM = d.serveScreen
		}
	}
	d.state.ports = redir.NewDevice(cfg)
}

// serveRedirection serves one connection to 16994 or 16995.
func (d *Device) serveRedirection(ctx context.Context, conn net.Conn) {
	d.mu.Lock()
	_, _, _, listens := d.redirectionLocked()
	ports := d.state.ports
	d.unlock()
	if !listens {
		return
	}
	if err := ports.Serve(ctx, conn); err != nil {
		d.log.Info("wsmantest: redirection", "err", err)
	}
}

// redirectionUser gives the hash of a user who may use redirection.
func (d *Device) redirectionUser(name string) (redir.Secret, bool) {
	d.mu.Lock()
	defer d.unlock()
	u := d.account(name)
	if u == nil || !u.enabled || u.access == accessLocal || u == d.state.setup.local ||
		!slices.Contains(u.realms, RealmRedirection) && !slices.Contains(u.realms, RealmAdministration) {
		return redir.Secret{}, false
	}
	return NewSecret(hex.EncodeToString(u.ha1)), true
}

// mayStart refuses what is switched off, and what the user has not consented to.
func (d *Device) mayStart(session redir.SessionType) redir.StartStatus {
	d.mu.Lock()
	defer d.unlock()
	sol, ider, kvm, _ := d.redirectionLocked()
	if !map[redir.SessionType]bool{redir.SOL: sol, redir.IDER: ider, redir.KVM: kvm}[session] {
		return redir.StartUnsupported
	}
	if !d.mayRedirect(session == redir.KVM) {
		d.emit(EventConsent, "a %v session was refused: the user has not consented", session)
		return redir.StartFailed
	}
	return redir.StartOK
}

// sessionRecord is the entry of the event log for a SOL or IDE-R session: data AA 30 00, and 0 to 3 for SOL begins, ends,
// IDE-R begins, ends.
func sessionRecord(session redir.SessionType, ends byte) (r Record, known bool) {
	r = Record{SensorType: 192, EventType: 0x6F, Severity: 2, Entity: 38, Data: [8]byte{0xAA, 0x30, 0, ends}}
	if session == redir.IDER {
		r.Data[3] += 2
	}
	return r, session == redir.SOL || session == redir.IDER
}

func (d *Device) sessionBegins(session redir.SessionType, user string) {
	d.mu.Lock()
	defer d.unlock()
	d.sessions[session.String()]++
	if d.consentLocked() == consentReceived {
		d.setConsent(consentSession)
	}
	if r, known := sessionRecord(session, 0); known {
		d.logEvent(r)
	}
	d.alertSession(session, "1")
	d.addAudit(AuditRecord{App: map[bool]int{false: auditRedirection, true: auditKVM}[session == redir.KVM], User: user})
	d.emit(EventRedirection, "a %v session of %q begins", session, user)
}

func (d *Device) sessionEnds(session redir.SessionType, err error) {
	d.mu.Lock()
	defer d.unlock()
	d.sessions[session.String()]--
	if d.consentLocked() == consentSession {
		d.setConsent(consentNone)
	}
	if r, known := sessionRecord(session, 1); known {
		d.logEvent(r)
	}
	d.alertSession(session, "2")
	if err != nil {
		d.emit(EventRedirection, "a %v session ends: %v", session, err)
		return
	}
	d.emit(EventRedirection, "a %v session ends", session)
}

// Sessions returns how many redirection sessions there are: of "SOL", "IDE-R" and "KVM".
func (d *Device) Sessions() map[string]int {
	d.mu.Lock()
	defer d.unlock()
	out := map[string]int{}
	for kind, n := range d.sessions {
		if n > 0 {
			out[kind] = n
		}
	}
	return out
}

// readMedia is the default of Config.IDER: when the drives are there it reads the whole medium of each, and notes what it
// was. Then it waits for the session's end.
func (d *Device) readMedia(ctx context.Context, host *redir.IDERHost) error {
	if _, err := host.WaitDrives(ctx); err != nil {
		return err
	}
	for _, drive := range []redir.DriveID{redir.Floppy, redir.CD} {
		if err := host.WaitMedium(ctx, drive); err != nil {
			if ctx.Err() != nil || host.Err() != nil {
				return err
			}
			continue // no medium
		}
		sum := sha256.New()
		size, err := host.CopyMedium(ctx, sum, drive)
		if err != nil {
			return fmt.Errorf("reading %v: %w", drive, err)
		}
		d.mu.Lock()
		d.state.media = append(d.state.media, Medium{Floppy: drive == redir.Floppy, Size: size, SHA256: [32]byte(sum.Sum(nil))})
		d.emit(EventRedirection, "%d bytes of drive %v were read", size, drive)
		d.unlock()
	}
	select {
	case <-ctx.Done():
	case <-host.Done():
	}
	return nil
}

// Media returns the media that the computer has read through IDE-R.
func (d *Device) Media() []Medium {
	d.mu.Lock()
	defer d.unlock()
	return slices.Clone(d.state.media)
}
