package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/meshcentral-go/sdk/examples/internal/console"
)

// table is a listing for people.
type table struct {
	columns []string
	rows    [][]string
	none    string // instead of no rows
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// list prints a listing as the flags say: as a table, or v as JSON.
func (a *app) list(t *table, v any) error {
	switch {
	case a.flags.json:
		return a.printJSON(v)
	case len(t.rows) == 0:
		return a.println(t.none)
	}
	return a.printTable(t)
}

func (a *app) printTable(t *table) error {
	rows := t.rows
	if t.columns != nil {
		head := make([]string, len(t.columns))
		for i, c := range t.columns {
			head[i] = strings.ToUpper(c)
		}
		rows = append([][]string{head}, rows...)
	}
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, console.Clean(cell))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush() // into memory
	for line := range strings.Lines(text.String()) {
		if err := a.println(strings.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// printJSON prints a value, indented by two spaces.
func (a *app) printJSON(v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return err
	}
	return a.println(console.Escaped(strings.TrimRight(b.String(), "\n")))
}

func (a *app) println(line string) error {
	_, err := fmt.Fprintln(a.out, line)
	return err
}

// field is a name and a value of a result.
type field struct{ name, value string }

// done says that something was done: in words, or in JSON with what is worth knowing.
func (a *app) done(text string, fields ...field) error {
	if !a.flags.json {
		return a.println(console.Clean(text))
	}
	m := map[string]string{"result": "ok"}
	for _, f := range fields {
		m[f.name] = f.value
	}
	return a.printJSON(m)
}

// note tells people how far long work has come, on standard error.
func (a *app) note(format string, args ...any) {
	fmt.Fprintln(a.err, console.Clean(fmt.Sprintf(format, args...)))
}

// timeFormat is how times are printed, in the zone of this machine.
const timeFormat = "2006-01-02 15:04:05"

func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.Local().Format(timeFormat)
}

// yes is for columns of flags.
func yes(set bool) string {
	if set {
		return "yes"
	}
	return ""
}

// onOff is for settings.
func onOff(set bool) string {
	if set {
		return "on"
	}
	return "off"
}

// size writes bytes in units that people read: those of memory with 1024, of drives with 1000.
func size(n uint64, base float64) string {
	if n == 0 {
		return ""
	}
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	if base == 1024 {
		units = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	}
	v, i := float64(n), 0
	for v >= base && i < len(units)-1 {
		v, i = v/base, i+1
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + units[i]
}

// rfc3339 is how JSON has times.
func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
