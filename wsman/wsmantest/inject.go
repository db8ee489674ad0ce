package wsmantest

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/meshcentral-go/sdk/wsman"
)

// Injection makes requests fail in a way that the caller chooses. The zero values of Class and Op match any; what is done
// is the sum of the other fields.
type Injection struct {
	Class string // "AMT_GeneralSettings"
	Op    string // an operation (OpGet) or the name of a method
	Skip  int    // requests that match but are let through first
	Times int    // how many requests fail; 0 is 1, negative is all

	// Delay is waited before anything is done, or until the device ends the connection. Other requests are answered meanwhile.
	Delay time.Duration
	// Drop closes the connection instead of answering. With Done the request is carried out before.
	Drop, Done bool
	// Cut sends so many bytes of the answer's body and then closes the connection; the request has been carried out.
	Cut int
	// ReturnValue, if not 0, is answered by a method, which is not carried out.
	ReturnValue int
	// Fault is a subcode to answer with, "InternalError" for example.
	Fault string
	// Status is an HTTP status to answer with, and an HTML page.
	Status int
	// Body replaces the answer's body. The request is carried out.
	Body []byte

	hits int
}

// Inject arms an injection. Injections are looked at in the order in which they were armed.
func (d *Device) Inject(i Injection) {
	d.mu.Lock()
	defer d.unlock()
	if i.Times == 0 {
		i.Times = 1
	}
	d.faults = append(d.faults, &i)
}

// Busy makes the next n requests fail as those of an overloaded firmware do: with HTTP status 503.
func (d *Device) Busy(n int) { d.Inject(Injection{Times: n, Status: http.StatusServiceUnavailable}) }

// ClearInjections disarms all.
func (d *Device) ClearInjections() {
	d.mu.Lock()
	defer d.unlock()
	d.faults = nil
}

// injection returns the one that a request meets, or nil.
func (d *Device) injection(c Call) *Injection {
	for i, inj := range d.faults {
		if inj.Class != "" && inj.Class != c.Class || inj.Op != "" && inj.Op != c.Op {
			continue
		}
		if inj.hits++; inj.hits <= inj.Skip {
			continue
		}
		if inj.Times > 0 && inj.hits == inj.Skip+inj.Times {
			d.faults = slices.Delete(slices.Clone(d.faults), i, i+1)
		}
		return inj
	}
	return nil
}

// inject does what an injection says. done is false if the request is to be handled as usual.
func (d *Device) inject(ctx context.Context, inj *Injection, req *request, rec *Call) (r *reply, done bool) {
	if inj.Delay > 0 {
		d.pause(ctx, inj.Delay)
	}
	switch {
	case inj.Drop:
		if inj.Done {
			d.perform(req, nil, rec)
		}
		return &reply{silent: true}, true
	case inj.Cut > 0:
		r = d.perform(req, nil, rec)
		r.cut = inj.Cut
		return r, true
	case inj.Body != nil:
		r = d.perform(req, nil, rec)
		r.body = inj.Body
		return r, true
	case inj.ReturnValue != 0 && req.isMethod():
		rec.Status, rec.ReturnValue = http.StatusOK, inj.ReturnValue
		out := (&call{d: d, req: req}).result(inj.ReturnValue)
		return &reply{status: http.StatusOK, body: d.envelope(req, out)}, true
	case inj.Fault != "":
		f := sender(wsman.NamespaceWSMan, inj.Fault, "The fault was injected.")
		rec.Status, rec.Fault = f.status, f.subcode
		return d.faultReply(req.MessageID, f), true
	case inj.Status != 0:
		rec.Status = inj.Status
		return &reply{status: inj.Status, html: true}, true
	}
	return nil, false
}

// pause waits without the mutex.
func (d *Device) pause(ctx context.Context, delay time.Duration) {
	d.unlock()
	defer d.mu.Lock()
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
