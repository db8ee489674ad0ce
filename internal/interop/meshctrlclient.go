package interop

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// MeshctrlClient is the stock command-line client with a server to talk to and a
// login. The server need not be a stock one.
type MeshctrlClient struct {
	URL      string // wss://host:port, with /domain or ?key=
	User     string
	Password string
	Token    string // of the second factor
	// LoginKey is the server's key of 160 hexadecimal digits, or a login cookie.
	LoginKey string
	// Dir is the folder to run in, which some commands read from and write to.
	// Empty means the package's.
	Dir string
	// MendCookies has the client put cookies into URLs as they are. It is for stock servers: they make cookies that it
	// garbles, now and then. For any other server the client is as it comes.
	MendCookies bool

	stdin *os.File // what the client reads, nil for nothing
}

// MeshctrlResult is what the client did.
type MeshctrlResult struct {
	Output string // standard output and standard error
	Code   int    // exit status, -1 if the client was killed
}

// Run runs the client until it ends by itself, and kills it when ctx ends
// first: the client has no time limit of its own and waits for ever when a
// server answers nothing. That it was killed is an error that wraps the
// context's; an exit status other than 0 is none.
func (c MeshctrlClient) Run(ctx context.Context, args ...string) (MeshctrlResult, error) {
	cmd, err := c.command(ctx, args)
	if err != nil {
		return MeshctrlResult{Code: -1}, err
	}
	// To a file: the client exits without flushing, which cuts off a pipe.
	out, err := os.CreateTemp("", "meshctrl-*")
	if err != nil {
		return MeshctrlResult{Code: -1}, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	p, err := startProcess(cmd, nil, false)
	if err != nil {
		return MeshctrlResult{Code: -1}, err
	}
	err = p.waitOrKill(ctx)
	printed, readErr := os.ReadFile(out.Name())
	result := MeshctrlResult{Output: string(printed), Code: cmd.ProcessState.ExitCode()}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		err = nil
	}
	if err == nil {
		err = readErr
	}
	if err != nil {
		err = fmt.Errorf("interop: meshctrl %s: %w", strings.Join(args, " "), err)
	}
	return result, err
}

// Try is Run with an error also for an exit status other than 0. What was printed is
// returned with an error too.
func (c MeshctrlClient) Try(ctx context.Context, args ...string) (string, error) {
	got, err := c.Run(ctx, args...)
	if err == nil && got.Code != 0 {
		err = fmt.Errorf("interop: meshctrl %s: exit status %d", strings.Join(args, " "), got.Code)
	}
	return got.Output, err
}

// Shell opens a terminal of a device, types a line when it is connected, and ends
// the client when until was printed then. It returns what was printed.
func (c MeshctrlClient) Shell(ctx context.Context, device, line, until string) (string, error) {
	stdin, typed, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer stdin.Close()
	defer typed.Close()
	c.stdin = stdin
	var typeErr error
	out, err := c.RunUntil(ctx, "Connected.", func() { _, typeErr = typed.WriteString(line + "\n") }, until, "shell", "--id", device)
	return out, errors.Join(typeErr, err)
}

// RunUntil runs the client, which is expected not to end by itself, until it has
// printed ready, calls then, and ends the client when it has printed until, or
// with an error when ctx ends. It returns what was printed.
func (c MeshctrlClient) RunUntil(ctx context.Context, ready string, then func(), until string, args ...string) (string, error) {
	cmd, err := c.command(ctx, args)
	if err != nil {
		return "", err
	}
	log := newLogBuffer()
	p, err := startProcess(cmd, log, false)
	if err != nil {
		return "", err
	}
	defer p.stop(0)
	if err := log.wait(ctx, p.done, 0, ready); err != nil {
		return log.String(), fmt.Errorf("interop: meshctrl %s: %w", strings.Join(args, " "), err)
	}
	mark := log.mark()
	then()
	if err := log.wait(ctx, p.done, mark, until); err != nil {
		return log.String(), fmt.Errorf("interop: meshctrl %s, when it was ready: %w", strings.Join(args, " "), err)
	}
	return log.String(), nil
}

func (c MeshctrlClient) command(ctx context.Context, args []string) (*exec.Cmd, error) {
	install, err := installPackage(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("node")
	var scripts []string
	if c.MendCookies {
		scripts = append(scripts, mendCookies)
	}
	if c.stdin != nil {
		cmd.Stdin = c.stdin
		scripts = append(scripts, noRawMode)
	}
	for _, script := range scripts {
		preload, err := preloadFile(ctx, script)
		if err != nil {
			return nil, err
		}
		cmd.Args = append(cmd.Args, "--require", preload)
	}
	cmd.Args = append(append(cmd.Args, filepath.Join(packageIn(install), "meshctrl.js")), args...)
	for _, option := range []struct{ name, value string }{
		{"--url", c.URL}, {"--loginuser", c.User}, {"--loginpass", c.Password}, {"--token", c.Token}, {"--loginkey", c.LoginKey},
	} {
		if option.value != "" {
			cmd.Args = append(cmd.Args, option.name, option.value)
		}
	}
	cmd.Dir = c.Dir
	if cmd.Dir == "" {
		cmd.Dir = install
	}
	return cmd, nil
}
