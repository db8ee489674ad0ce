package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/meshcentral-go/sdk/examples/internal/console"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// table is a listing in its forms: rows for people and for spreadsheets, and JSON.
type table struct {
	columns []string
	rows    [][]string
	json    any    // what --json prints
	none    string // for people, instead of no rows
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// list prints a listing as the flags say.
func (a *app) list(t *table) error {
	switch {
	case a.flags.json:
		return a.printJSON(t.json)
	case a.flags.csv:
		return a.printCSV(t)
	case len(t.rows) == 0:
		return a.println(t.none)
	}
	return a.printTable(t)
}

func (a *app) printTable(t *table) error {
	var text bytes.Buffer
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ToUpper(strings.Join(t.columns, "\t")))
	for _, row := range t.rows {
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

func (a *app) printCSV(t *table) error {
	w := csv.NewWriter(a.out)
	_ = w.Write(t.columns) // Error tells
	for _, row := range t.rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = console.Clean(cell)
		}
		_ = w.Write(cells)
	}
	w.Flush()
	return w.Error()
}

// printJSON prints a record of package controlproto, or a list of them, as the server had it, indented by two spaces as
// meshctrl does.
func (a *app) printJSON(v any) error {
	raw, err := jsonrec.Append(nil, v)
	if err != nil {
		return err
	}
	return a.printRaw(raw)
}

func (a *app) printRaw(raw json.RawMessage) error {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return fmt.Errorf("the server's JSON: %w", err)
	}
	return a.println(console.Escaped(b.String()))
}

// printJSONLine prints an object in one line, for output that comes piece by piece.
func (a *app) printJSONLine(v any) error {
	raw, err := jsonrec.Append(nil, v)
	if err != nil {
		return err
	}
	return a.println(console.Escaped(string(raw)))
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
	b := []byte(`{"result":"ok"`)
	for _, f := range fields {
		b = append(jsonrec.AppendString(append(b, ','), f.name), ':')
		b = jsonrec.AppendString(b, f.value)
	}
	return a.printRaw(append(b, '}'))
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
