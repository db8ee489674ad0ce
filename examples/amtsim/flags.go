package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/meshcentral-go/sdk/apf"
	"github.com/meshcentral-go/sdk/mps/mpstest"
	"github.com/meshcentral-go/sdk/wsman/wsmantest"
)

// flags are the command line's.
type flags struct {
	mps, user, pass, passFile string
	n, connections            int
	uuid                      string
	cert, key, certs, group   string

	pin, root, name string
	insecure        bool
	tlsVersion      string

	ports, serve       string
	amtVersion         string
	amtUser, amtPass   string
	amtMode            string
	amtTLS             bool
	connType, meiState string
	firmware           bool
	quirks             mpstest.Quirks
	window, adjustStep uint
	frameSize          uint
	backoff            mpstest.Backoff

	period time.Duration
	level  slog.Level
}

// parseFlags reads the command line. Asked for help, it prints it and returns flag.ErrHelp.
func parseFlags(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("amtsim", flag.ContinueOnError)
	set.SetOutput(io.Discard) // an error is one line, and main prints it
	f.register(set)
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "usage: amtsim -mps HOST:PORT|wss://HOST/apf.ashx -user NAME -pass PASSWORD [-n N] [flags]")
		set.SetOutput(stderr)
		set.PrintDefaults()
		return f, err
	case err != nil:
		return f, err
	case set.NArg() > 0:
		return f, fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	return f, f.check()
}

func (f *flags) register(set *flag.FlagSet) {
	set.StringVar(&f.mps, "mps", "", "the server: `ADDRESS` is HOST:PORT, tcp://HOST:PORT without TLS, or wss://HOST/apf.ashx")
	set.StringVar(&f.user, "user", "", "`NAME` to log in with; for MeshCentral the first 16 characters of a device group's id")
	set.StringVar(&f.pass, "pass", "", "`PASSWORD` to log in with")
	set.StringVar(&f.passFile, "pass-file", "", "`FILE` with the password, which others on this machine can not see then")
	set.IntVar(&f.n, "n", 1, "how `MANY` devices there are")
	set.IntVar(&f.connections, "connections", 64, "how `MANY` devices connect and log in at once")
	set.StringVar(&f.uuid, "uuid", "", "`UUID` of the first device, the others count up; by default a random one, which is printed")
	set.StringVar(&f.cert, "cert", "", "`FILE` with a client certificate to log in with, PEM; -user may be left out then")
	set.StringVar(&f.key, "key", "", "`FILE` with its key; by default that of -cert")
	set.StringVar(&f.certs, "certs", "", "`FOLDER` of client certificates, one for each device; those that are missing are made, for -group")
	set.StringVar(&f.group, "group", "", "`ID` of the device group, 64 characters, that -certs writes into certificates")

	set.StringVar(&f.pin, "pin", "", "SHA-256 `HASH` of the one server certificate to take")
	set.StringVar(&f.root, "root", "", "`FILE` with the certificate that has signed the server's, PEM")
	set.StringVar(&f.name, "server-name", "", "`NAME` in the server's certificate, with -root; by default the host of -mps")
	set.BoolVar(&f.insecure, "insecure", false, "take every server certificate, also another one at the next connection")
	set.StringVar(&f.tlsVersion, "tls", "", "speak this `VERSION` of TLS alone: 1.0, 1.1, 1.2 or 1.3, up to 1.2 with the ciphers of old firmware")

	set.StringVar(&f.ports, "ports", "", "`PORTS` that are forwarded, with commas between; by default all that such a device has")
	set.StringVar(&f.serve, "serve", "amt", "`WHAT` is behind the ports: amt is a simulated machine; echo, http or discard")
	set.StringVar(&f.amtVersion, "amt-version", "16.1", "`VERSION` of the machine's firmware, from 11 to 19: there are no ports without TLS from 19 on")
	set.StringVar(&f.amtUser, "amt-user", "admin", "`NAME` of the administrator of the machine")
	set.StringVar(&f.amtPass, "amt-pass", wsmantest.DefaultPassword, "`PASSWORD` of the administrator of the machine")
	set.StringVar(&f.amtMode, "amt-mode", "admin", "control `MODE` of the machine: admin or client, or none if it was not set up")
	set.BoolVar(&f.amtTLS, "amt-tls", false, "the machine has its ports with TLS too")
	set.StringVar(&f.connType, "conn-type", "cira", "`TYPE` of the connection: cira as firmware, or relay or lms as MeshCentral's agents")
	set.StringVar(&f.meiState, "mei-state", "", "`FILE` with the JSON that is sent as the state of the management engine, with relay and lms; by default that of the machine")

	set.BoolVar(&f.firmware, "firmware", false, "be as awkward as real firmware: small windows, credit in steps of 499 bytes, numbers used again at once")
	set.UintVar(&f.window, "window", 0, "`BYTES` that the server may send on a channel without more credit (default 32768)")
	set.UintVar(&f.adjustStep, "adjust-step", 0, "give credit in messages of so many `BYTES` each")
	set.UintVar(&f.frameSize, "frame-size", 0, "at most so many `BYTES` of data in a message")
	set.IntVar(&f.quirks.Slots, "slots", 8, "how `MANY` channels can be open at once")
	set.BoolVar(&f.quirks.ReuseSlots, "reuse-slots", false, "use the number of a closed channel again at once")
	set.DurationVar(&f.quirks.KeepAlive, "keepalive", 0, "`TIME` between questions whether the server is there (default 30s)")
	set.BoolVar(&f.quirks.IgnoreKeepAliveOptions, "keepalive-stubborn", false, "keep to -keepalive whatever the server asks for")
	set.IntVar(&f.quirks.SplitWrites, "split-writes", 0, "write in pieces of so many `BYTES`")
	set.BoolVar(&f.quirks.SplitPassword, "split-password", false, "with -split-writes, also the message with the password, which stock servers do not take")
	set.BoolVar(&f.quirks.CoalesceWrites, "coalesce-writes", false, "write many messages at once")
	set.BoolVar(&f.quirks.TextMessages, "text-messages", false, "over WebSocket, write text as MeshCentral's agent does")
	set.IntVar(&f.quirks.RefuseEvery, "refuse-every", 0, "refuse every `N`-th channel")
	set.IntVar(&f.quirks.SilentEvery, "silent-every", 0, "never answer every `N`-th request for a channel")
	set.DurationVar(&f.backoff.Interval, "retry", 10*time.Second, "`TIME` before the next call")
	set.IntVar(&f.backoff.Retries, "retries", 2, "how `MANY` further calls are made in vain before -pause; -1 is for ever")
	set.DurationVar(&f.backoff.Pause, "pause", time.Minute, "`TIME` to wait after that; firmware waits ten minutes and more")

	set.DurationVar(&f.period, "for", 0, "end after this `TIME`")
	set.TextVar(&f.level, "log-level", slog.LevelWarn, "least `LEVEL` that is logged on standard error: debug, info, warn or error")
}

func (f *flags) check() error {
	trusts := 0
	for _, set := range []bool{f.pin != "", f.root != "", f.insecure} {
		if set {
			trusts++
		}
	}
	switch {
	case f.mps == "":
		return errors.New("-mps is missing: the address of the server")
	case f.user == "" && f.cert == "" && f.certs == "":
		return errors.New("-user, -cert or -certs is missing: a device has to log in")
	case f.pass != "" && f.passFile != "":
		return errors.New("-pass and -pass-file exclude each other")
	case f.cert != "" && f.certs != "":
		return errors.New("-cert and -certs exclude each other")
	case f.key != "" && f.cert == "":
		return errors.New("-key goes with -cert")
	case f.group != "" && f.certs == "":
		return errors.New("-group goes with -certs")
	case f.group != "" && len(f.group) != 64:
		return fmt.Errorf("-group has 64 characters, not %d: the part of a group's id after mesh//", len(f.group))
	case trusts > 1:
		return errors.New("-pin, -root and -insecure exclude each other")
	case f.name != "" && f.root == "":
		return errors.New("-server-name goes with -root")
	case f.n < 1 || f.connections < 1:
		return errors.New("-n and -connections are above zero")
	case f.window > 1<<31-1 || f.adjustStep > 1<<31-1 || f.frameSize > 1<<31-1:
		return errors.New("-window, -adjust-step and -frame-size are below 2 GiB")
	case f.meiState != "" && f.connType == "cira":
		return errors.New("-mei-state goes with -conn-type relay or lms")
	}
	if f.passFile != "" {
		b, err := os.ReadFile(f.passFile)
		if err != nil {
			return fmt.Errorf("-pass-file: %w", err)
		}
		f.pass = strings.TrimRight(string(b), "\r\n")
	}
	return nil
}

// machine is the configuration of the machines behind the ports.
func (f *flags) machine() (wsmantest.Config, error) {
	mode, ok := map[string]wsmantest.ControlMode{
		"admin": wsmantest.ModeAdmin, "client": wsmantest.ModeClient, "none": wsmantest.ModeNone,
	}[f.amtMode]
	if !ok {
		return wsmantest.Config{}, fmt.Errorf("-amt-mode can be admin, client or none, and not %.40q", f.amtMode)
	}
	return wsmantest.Config{
		Version: f.amtVersion, User: f.amtUser, Password: wsmantest.NewSecret(f.amtPass), Mode: mode, TLS: f.amtTLS,
	}, nil
}

// portList reads -ports.
func (f *flags) portList() ([]uint16, error) {
	var ports []uint16
	if f.ports == "" {
		return nil, nil
	}
	for text := range strings.SplitSeq(f.ports, ",") {
		port, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
		if err != nil || port == 0 {
			return nil, fmt.Errorf("-ports: %.40q is no port", text)
		}
		ports = append(ports, uint16(port))
	}
	return ports, nil
}

// connectionType reads -conn-type.
func (f *flags) connectionType() (apf.ConnType, error) {
	switch f.connType {
	case "cira":
		return apf.ConnCIRA, nil
	case "relay":
		return apf.ConnRelay, nil
	case "lms":
		return apf.ConnLMS, nil
	}
	return 0, fmt.Errorf("-conn-type can be cira, relay or lms, and not %.40q", f.connType)
}
