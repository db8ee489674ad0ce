package main

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// maxLogLine bounds a line of a log of agents' errors.
const maxLogLine = 4 << 20

// errorLogCommands is the verb that counts what agents reported as errors.
func (a *app) errorLogCommands() []*cobra.Command {
	var file string
	var all bool
	c := a.verb("indexagenterrorlog", "Count the grave errors in a server's log of agents' errors", func(context.Context, *cobra.Command) error {
		count, err := readErrorLog(file)
		if err != nil {
			return err
		}
		type record struct {
			Count   int    `json:"count"`
			Message string `json:"message"`
		}
		records := []record{}
		for msg, n := range count {
			if all || strings.Contains(msg, "STUCK") || strings.Contains(msg, "FATAL") {
				records = append(records, record{n, msg})
			}
		}
		slices.SortFunc(records, func(a, b record) int {
			if a.Count != b.Count {
				return b.Count - a.Count
			}
			return strings.Compare(a.Message, b.Message)
		})
		t := table{columns: []string{"count", "message"}, json: records, none: "None"}
		for _, r := range records {
			t.add(strconv.Itoa(r.Count), r.Message)
		}
		return a.list(&t)
	})
	c.Flags().StringVar(&file, "file", "../meshcentral-data/agenterrorlogs.txt", "the `LOG`")
	c.Flags().BoolVar(&all, "all", false, "all errors, not only those with STUCK or FATAL")
	return []*cobra.Command{c}
}

// readErrorLog counts the messages of a log. Its lines are the id of a device, a time, and a message of the agent; others
// are passed over.
func readErrorLog(file string) (map[string]int, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, usageError("%v", err)
	}
	defer f.Close()
	count := map[string]int{}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, maxLogLine)
	for lines.Scan() {
		line := lines.Text()
		at := strings.IndexByte(line, '{')
		if at < 0 {
			continue
		}
		var m struct {
			Action string `json:"action"`
			Log    []struct {
				Time    *float64 `json:"t"`
				Message *string  `json:"m"`
			} `json:"log"`
		}
		if json.Unmarshal([]byte(line[at:]), &m) != nil || m.Action != "errorlog" {
			continue
		}
		for _, entry := range m.Log {
			if entry.Time != nil && entry.Message != nil {
				count[*entry.Message]++
			}
		}
	}
	return count, lines.Err()
}
