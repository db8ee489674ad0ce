package terminal

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// PTY makes shells on pseudo terminals of this machine: Linux and macOS. Elsewhere its Start returns [ErrUnsupported].
type PTY struct {
	// Command makes the command for a request: its path, arguments, environment, folder and, in SysProcAttr.Credential, its
	// account. Session and terminal are set by Start. Nil is [PTY.DefaultCommand].
	Command func(*Request) (*exec.Cmd, error)
	// Env is added to the environment of the default command, which is small: PATH, LANG, HOME, TERM and little more, and
	// nothing else of this process.
	Env []string
}

// The size of a terminal whose size nobody knows.
const (
	defaultCols = 80
	defaultRows = 25
)

// Start starts the command of a request, as [ServeConfig.Start] wants it.
func (p *PTY) Start(ctx context.Context, r *Request) (Shell, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	command := p.Command
	if command == nil {
		command = p.DefaultCommand
	}
	cmd, err := command(r)
	if err != nil {
		return nil, err
	}
	size := r.Size()
	if !size.known() {
		size = Size{defaultCols, defaultRows}
	}
	return startPTY(cmd, size.bounded())
}

// DefaultCommand is bash, or else sh, of the account of this process, and login if the operator asks for that. A shell of the
// user who is logged in is refused to an operator if this process is root's, as it would be root's too: give it a Command that knows
// who is logged in.
func (p *PTY) DefaultCommand(r *Request) (*exec.Cmd, error) {
	if r.Kind.OfUser() && os.Geteuid() == 0 {
		return nil, &Refusal{"No shell for the logged in user on this device"}
	}
	var cmd *exec.Cmd
	if r.Options.RequireLogin {
		login, err := firstProgram("/bin/login", "/usr/bin/login")
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(login)
	} else {
		shell, err := firstProgram("/bin/bash", "/usr/bin/bash", "/usr/local/bin/bash", "/bin/sh")
		if err != nil {
			return nil, err
		}
		cmd = exec.Command(shell)
	}
	cmd.Env = append(environment(), p.Env...)
	cmd.Dir = "/"
	if home, err := os.UserHomeDir(); err == nil {
		if info, err := os.Stat(home); err == nil && info.IsDir() {
			cmd.Dir = home
		}
	}
	return cmd, nil
}

// firstProgram is the first of some programs that is there.
func firstProgram(paths ...string) (string, error) {
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("terminal: none of %s is there", strings.Join(paths, ", "))
}

// environment is what a shell gets to know of that of this process, which may hold secrets.
func environment() []string {
	env := []string{"TERM=xterm-256color", "HISTCONTROL=ignoreboth"}
	for _, name := range []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	if _, ok := os.LookupEnv("PATH"); !ok {
		env = append(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	}
	return env
}
