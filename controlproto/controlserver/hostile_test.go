package controlserver

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/controlproto"
)

// memberNames are the names of the members that a request may have.
func memberNames(m controlproto.Message) (names []string) {
	for f := range reflect.TypeOf(m).Elem().Fields() {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// Whatever stands in a request, no handler panics, which would end the session.
func TestRequestsOfAnyShape(t *testing.T) {
	inWorld(t, func(w *world) {
		g, d := w.lab(controlproto.FullRights)
		w.connect(d)
		values := []string{
			`null`, `""`, `"x"`, `0`, `-1`, `1e308`, `true`, `[]`, `{}`, `[null]`, `[""]`, `[{}]`, `{"x":{}}`, `"node//"`, `"mesh//x"`, `"user//"`, `"///"`,
			fmt.Sprintf("%q", d), fmt.Sprintf("%q", g), fmt.Sprintf("[%q]", d), `"user//bob"`, `["user//bob"]`, `2`, `"json"`,
		}
		var o *operator
		for _, spec := range controlproto.Actions() {
			action := spec.Action
			if action == "close" || spec.Request == nil {
				continue
			}
			members := memberNames(spec.Request())
			for _, v := range values {
				if o == nil {
					o = w.login("admin")
				}
				request := map[string]json.RawMessage{"action": json.RawMessage(fmt.Sprintf("%q", action)), "responseid": json.RawMessage(`"r"`)}
				for _, name := range members {
					request[name] = json.RawMessage(v)
				}
				b, err := json.Marshal(request)
				require.NoError(t, err)
				for _, answer := range o.ask("%s", b) {
					require.NotContains(t, answer, `"cause":"`+controlproto.CloseInternal, "%s", b)
					if len(answer) > 17 && answer[:17] == `{"action":"close"` {
						o = nil
					}
				}
			}
		}
	})
}
