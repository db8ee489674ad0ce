//go:build !js

package bench

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childVariable tells a test binary that it is the server.
const childVariable = "MESHCENTRAL_GO_BENCH_CHILD"

// profileVariable names a file for a CPU profile of the server.
const profileVariable = "MESHCENTRAL_GO_BENCH_PROFILE"

// process is a server in a child process.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
	address string
}

// startProcess runs this test binary again as the named server.
func startProcess(b *testing.B, name string) *process {
	b.Helper()
	p := &process{cmd: exec.Command(os.Args[0])}
	p.cmd.Env = append(os.Environ(), childVariable+"="+name)
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	p.out = bufio.NewScanner(out)
	if err := p.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		p.in.Close() // the child ends with its input
		if err := p.cmd.Wait(); err != nil {
			b.Error("server process:", err)
		}
	})
	p.address = p.ask(b, "address")
	return p
}

// ask sends a line to the server and returns the line that it answers.
func (p *process) ask(b *testing.B, what string) string {
	b.Helper()
	if _, err := fmt.Fprintln(p.in, what); err != nil {
		b.Fatal(err)
	}
	if !p.out.Scan() {
		b.Fatal("server process ended: ", p.out.Err())
	}
	return p.out.Text()
}

// cpu returns the processor time that the server has used.
func (p *process) cpu(b *testing.B) time.Duration {
	b.Helper()
	d, err := time.ParseDuration(p.ask(b, "cpu"))
	if err != nil {
		b.Skip("no accounting of processor time here: ", err)
	}
	return d
}

// resident returns the server's resident memory in bytes.
func (p *process) resident(b *testing.B) int64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", p.cmd.Process.Pid))
	if err != nil {
		b.Skip("no accounting of memory here: ", err)
	}
	f := strings.Fields(string(stat))
	pages, err := strconv.ParseInt(f[1], 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// serveQuestions answers the lines of standard input until it ends.
func serveQuestions(answers map[string]func() string) {
	answers["cpu"] = processTime
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if f := answers[lines.Text()]; f != nil {
			fmt.Println(f())
		} else {
			fmt.Println("unknown question")
		}
	}
}
