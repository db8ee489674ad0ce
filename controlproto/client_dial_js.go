package controlproto

import (
	"context"
	"errors"

	"github.com/meshcentral-go/sdk/internal/msgconn"
)

// openNet opens a WebSocket of the browser. Browsers set no headers, so the password goes into the first message.
func (c *Client) openNet(ctx context.Context, target SecretURL, form *loginForm) (dialed, error) {
	switch {
	case form.inBand != nil:
		return dialed{}, notInBrowser(PhaseAuth, "does not show the TLS certificate that an in-band login is bound to")
	case form.cookies.Reveal() != "":
		return dialed{}, notInBrowser(PhaseAuth, "sends its own cookies only")
	case c.cfg.PinnedCertificate != "":
		return dialed{}, notInBrowser(PhaseTLS, "does not show TLS certificates, so none can be pinned")
	}
	var d dialed
	if form.user != "" {
		args := map[string]Secret{"user": NewSecret(form.user), "pass": form.pass}
		if form.token.Reveal() != "" {
			args["token"] = form.token
		}
		d.first = &URLArgs{Args: args}
		query := form.query()
		query.Set("moreargs", "1")
		target = c.addr.with(query)
	}
	conn, err := msgconn.DialBrowser(ctx, target.Reveal())
	if err != nil {
		return dialed{}, &ClientError{Phase: PhaseDial, Err: err}
	}
	d.conn = conn
	return d, nil
}

func notInBrowser(phase ClientPhase, why string) error {
	return &ClientError{Phase: phase, Err: errors.New("a browser " + why)}
}
