package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// flags are the command line's.
type flags struct {
	msh      string
	insecure bool
	data     string
	name     string
	level    slog.Level
	terminal bool
	files    string
	desktop  string
	ports    ports
}

// maxName is what native agents send at most.
const maxName = 255

// parseFlags reads the command line. Asked for help, it prints it and returns flag.ErrHelp.
func parseFlags(args []string, stderr io.Writer) (flags, error) {
	var f flags
	set := flag.NewFlagSet("agent", flag.ContinueOnError)
	set.SetOutput(io.Discard) // an error is one line, and main prints it
	set.StringVar(&f.msh, "msh", "", "settings of the device group: `FILE or URL` of a .msh file; not needed after the first time")
	set.BoolVar(&f.insecure, "insecure-msh", false, "fetch a -msh URL without verifying the server; whoever is in between can choose the server")
	set.StringVar(&f.data, "data", "", "`FOLDER` of the agent's identity; by default meshcentral-go-agent in the user's configuration folder")
	set.StringVar(&f.name, "name", "", "`NAME` of the device; by default the host's")
	set.TextVar(&f.level, "log-level", slog.LevelInfo, "least `LEVEL` that is logged: debug, info, warn or error")
	set.BoolVar(&f.terminal, "terminal", false, "offer operators a shell of this account, which can do all that it can; Linux and macOS")
	set.StringVar(&f.files, "files", "", "offer operators the files in a `FOLDER`, to read and to write, and nothing outside of it")
	set.StringVar(&f.desktop, "desktop", "", "offer operators a desktop: `KIND` is x11 (the X display of $DISPLAY), auto (that if there is one), or pattern, which is nothing of this machine")
	set.Var(&f.ports, "ports", "let operators reach TCP and UDP `PORTS`: a list of PORT of this machine, HOST:PORT, *:PORT, HOST:*, or any")
	err := set.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(stderr, "usage: agent -msh FILE|URL [flags]")
		set.SetOutput(stderr)
		set.PrintDefaults()
		return f, err
	case err != nil:
		return f, err
	case set.NArg() > 0:
		return f, fmt.Errorf("unexpected argument %q", set.Arg(0))
	case len(f.name) > maxName || strings.ContainsAny(f.name, "\r\n\x00"):
		return f, fmt.Errorf("-name must be one line of at most %d bytes", maxName)
	case f.insecure && !isURL(f.msh):
		return f, errors.New("-insecure-msh goes with a -msh that is a URL")
	case !slices.Contains([]string{"", desktopAuto, desktopX11, desktopPattern}, f.desktop):
		return f, fmt.Errorf("-desktop can be x11, auto or pattern, and not %.40q", f.desktop)
	case f.desktop == desktopX11 && os.Getenv("DISPLAY") == "":
		return f, errors.New("-desktop x11 needs an X display: DISPLAY is not set")
	case f.terminal && runtime.GOOS != "linux" && runtime.GOOS != "darwin":
		return f, errors.New("-terminal is for Linux and macOS")
	}
	if f.desktop == desktopAuto {
		f.desktop = ""
		if os.Getenv("DISPLAY") != "" {
			f.desktop = desktopX11
		}
	}
	if f.data == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return f, fmt.Errorf("no default data folder, use -data: %w", err)
		}
		f.data = filepath.Join(dir, "meshcentral-go-agent")
	}
	return f, nil
}
