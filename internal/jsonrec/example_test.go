package jsonrec_test

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/meshcentral-go/sdk/internal/jsonrec"
	"github.com/meshcentral-go/sdk/internal/secret"
)

func Example() {
	type login struct {
		User  string                     `json:"user"`
		Pass  secret.Text                `json:"pass"`
		Time  time.Time                  `json:"time,ms"`
		Tries int                        `json:"tries"`
		Extra map[string]json.RawMessage `json:"-"`
	}
	var l login
	err := jsonrec.Unmarshal([]byte(`{"user":"ada", "pass":"tiger", "time":1700000000000, "tries":"3", "new":[1, 2]}`), &l)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.User, l.Pass, l.Time, l.Tries, string(l.Extra["new"]))
	l.Tries = 0
	b, err := jsonrec.Append(nil, l)
	fmt.Println(string(b), err)
	// Output:
	// ada [redacted] 2023-11-14 22:13:20 +0000 UTC 3 [1,2]
	// {"user":"ada","pass":"tiger","time":1700000000000,"new":[1,2]} <nil>
}

func ExamplePeek() {
	got, err := jsonrec.Peek([]byte(`{"action":"nodes","responseid":"r1","nodes":{}}`), "action", "tag", "responseid")
	fmt.Printf("%s %v\n", got, err)
	// Output: ["nodes"  "r1"] <nil>
}

func ExampleCheck() {
	fmt.Println(jsonrec.Check([]byte(`[[[[]]]]`), jsonrec.Limits{Size: 1 << 20, Depth: 3}))
	// Output: jsonrec: nested too deep
}
