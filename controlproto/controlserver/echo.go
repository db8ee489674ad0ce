package controlserver

import (
	"encoding/json"

	"github.com/meshcentral-go/sdk/controlproto"
	"github.com/meshcentral-go/sdk/internal/jsonrec"
)

// echoed is the request of a call as an answer: without some of its members, with others, which take the place of those of the
// same name.
func echoed(c *controlproto.Call, without []string, more ...detail) ([]byte, error) {
	skip := map[string]bool{"action": true}
	for _, name := range without {
		skip[name] = true
	}
	for _, m := range more {
		skip[m.name] = true
	}
	b := append(make([]byte, 0, len(c.Raw)+512), `{"action":`...)
	b = jsonrec.AppendString(b, c.Action)
	err := jsonrec.Members(c.Raw, func(name string, value json.RawMessage) error {
		if !skip[name] {
			skip[name] = true // a name that comes twice
			b = append(jsonrec.AppendString(append(b, ','), name), ':')
			b = append(b, value...)
		}
		return nil
	})
	for _, m := range more {
		if err != nil {
			return nil, err
		}
		b = append(jsonrec.AppendString(append(b, ','), m.name), ':')
		b, err = jsonrec.Append(b, m.value)
	}
	return append(b, '}'), err
}

// number reads a number out of a request: absent and null are not there; what is no number is not ok.
func number(raw json.RawMessage) (v float64, there, ok bool) {
	if raw == nil {
		return 0, false, true
	}
	err := json.Unmarshal(raw, &v)
	return v, true, err == nil && raw[0] != '"'
}

// numberIn tells whether a value is a number between two others.
func numberIn(raw json.RawMessage, least, most float64) bool {
	v, there, ok := number(raw)
	return there && ok && v >= least && v <= most
}
