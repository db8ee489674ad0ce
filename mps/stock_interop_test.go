//go:build !js

package mps

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/internal/interop"
)

// The stock client of agents and MeshCmd, amt-apfclient.js, over WebSocket: in Node.js with stand-ins for what the agent's
// runtime has, and in the agent itself, where all but data comes as text.

// nodeClient runs it in Node.js. What it calls http is a WebSocket client there, and callbacks of a socket's write have the
// socket as this.
const nodeClient = `
const Module = require('module'), fs = require('fs'), events = require('events'), net = require('net');
const [pkg, url, address] = process.argv.slice(-3);
const WebSocket = Module.createRequire(pkg + '/package.json')('ws');
const http = {
	parseUri: (u) => ({ url: u }),
	request: (o) => {
		const req = { end: () => {
			const ws = new WebSocket(o.url, { rejectUnauthorized: false }), sk = new events.EventEmitter();
			sk.write = (d) => ws.send(typeof d === 'string' ? Buffer.from(d, 'latin1') : d);
			sk.end = () => ws.close();
			ws.on('open', () => req.upgrade(null, sk, null));
			ws.on('message', (d) => sk.emit('data', d));
			ws.on('close', () => { sk.emit('end'); process.exit(0); });
			ws.on('error', (e) => { console.log('error', e); process.exit(3); });
		} };
		return req;
	},
};
const connect = (o, f) => {
	const s = net.createConnection(o, f), write = s.write;
	s.write = (b, done) => write.call(s, b, () => { if (done) done.call(s); });
	return s;
};
const load = Module._load;
Module._load = (name, ...rest) => name === 'http' ? http : name === 'net' ? { createConnection: connect } : load(name, ...rest);
const client = require(pkg + '/agents/modules_meshcore/amt-apfclient.js')({ debug: false }, {
	mpsurl: url, mpsuser: 'AbCdEfXhIjKlMnXp', mpspass: 'P@ssw0rd', mpskeepalive: 60000, clientname: 'pc1',
	clientaddress: address, clientuuid: '00112233-4455-6677-8899-aabbccddeeff', conntype: 2, meiState: { OsHostname: 'pc1' },
});
client.connect();
`

// agentClient is the same in the runtime of the native agent.
const agentClient = `
addModule('stock-apfclient', require('fs').readFileSync(%s).toString());
var client = require('stock-apfclient')({ debug: false }, {
	mpsurl: %s, mpsuser: 'AbCdEfXhIjKlMnXp', mpspass: 'P@ssw0rd', mpskeepalive: 60000, clientname: 'pc1',
	clientaddress: %s, clientuuid: '00112233-4455-6677-8899-aabbccddeeff', conntype: 2, meiState: { OsHostname: 'pc1' }
});
client.connect();
`

// stockClientRig is our server over WebSocket, and what answers on the device's port.
type stockClientRig struct {
	server       *Server
	events       <-chan Event
	control      chan apf.JSONControl
	url, address string
}

func newStockClientRig(t *testing.T) *stockClientRig {
	r := &stockClientRig{control: make(chan apf.JSONControl, 16)}
	r.server, _, r.events = startServer(t, Config{
		Authenticate: byPassword, Trace: &Trace{Control: func(_ *Connection, m apf.JSONControl) { r.control <- m }},
		APF: &apf.ServerConfig{OpenTimeout: patience}, // the client has no last port, at which it would be online at once
	})
	web := httptest.NewTLSServer(r.server.Handler())
	t.Cleanup(web.Close)
	r.url = "wss" + strings.TrimPrefix(web.URL, "https") + "/apf.ashx"

	// Its port is fixed; the address is of this test alone.
	var ln net.Listener
	for range 20 {
		r.address = fmt.Sprintf("127.%d.%d.%d", 2+mrand.N(250), mrand.N(256), 1+mrand.N(254))
		var err error
		if ln, err = net.Listen("tcp", r.address+":16992"); err == nil {
			break
		}
	}
	if ln == nil {
		t.Fatal("no loopback address to listen on")
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return r
}

// echo sends so many bytes through a channel and compares what comes back.
func (r *stockClientRig) echo(t *testing.T, size int) {
	t.Helper()
	var c *Connection
	deadline := time.After(5 * time.Minute)
	for c == nil {
		select {
		case e := <-r.events:
			if e.Err != nil {
				t.Fatal(e.Err)
			}
			if e.Phase == PhaseOnline && !e.Ports {
				c = e.Connection
			}
		case <-deadline:
			t.Fatal("the stock client did not come online")
		}
	}
	for !c.Forwards(16992) || !c.Forwards(16993) { // it is online with what has come in time
		select {
		case e := <-r.events:
			if e.Err != nil {
				t.Fatal(e.Err)
			}
		case <-deadline:
			t.Fatalf("the stock client has forwarded %v", c.Ports())
		}
	}
	if c.Kind() != LMS || c.UUID().String() != "00112233-4455-6677-8899-aabbccddeeff" {
		t.Errorf("%v, %v", c.Kind(), c.UUID())
	}
	if m := <-r.control; m.Action() != "meiState" || string(m.Value()) != `{"OsHostname":"pc1"}` {
		t.Errorf("control message %s", m.JSON())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	conn, err := c.DialContext(ctx, "tcp", ":16992")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	sent, got := make([]byte, size), make([]byte, size)
	rand.Read(sent)
	wrote := make(chan error, 1)
	go func() {
		_, err := conn.Write(sent)
		wrote <- err
	}()
	began := time.Now()
	if n, err := io.ReadFull(conn, got); err != nil {
		t.Fatalf("%d bytes of %d came back: %v", n, size, err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(sent, got) {
		t.Error("not what was sent")
	}
	t.Logf("%d bytes in %v", size, time.Since(began).Round(time.Millisecond))
	conn.Close()
	// A port where nobody listens does not harm the rest: in Node.js it is refused, in the agent it opens.
	if other, err := c.DialContext(ctx, "tcp", ":16993"); err == nil {
		other.Close()
	} else if refused := (*apf.OpenError)(nil); !errors.As(err, &refused) || refused.Reason != apf.OpenConnectFailed {
		t.Errorf("a port where nobody listens: %v", err)
	}
	d, _ := r.server.Registry().Device(c.Device())
	checkEcho(t, d, ":16992")
}

func TestStockClientInNode(t *testing.T) {
	r := newStockClientRig(t)
	pkg := interop.PackageDir(t)
	interop.StartProgram(t, exec.Command("node", "-e", nodeClient, "--", pkg, r.url, r.address))
	r.echo(t, 16<<20)
}

func TestStockClientInAgent(t *testing.T) {
	r := newStockClientRig(t)
	module := filepath.Join(interop.AgentsDir(t), "modules_meshcore", "amt-apfclient.js")
	script := fmt.Sprintf(agentClient, strconv.Quote(module), strconv.Quote(r.url), strconv.Quote(r.address))
	interop.StartB64(t, script, interop.AgentOptions{})
	r.echo(t, 64<<10)
}
