package agentproto

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

type parseFunc = func([]byte) (JSONMessage, error)

func readLines(t testing.TB, file string) [][]byte {
	t.Helper()
	f, err := os.Open(file)
	require.NoError(t, err)
	defer func() { require.NoError(t, f.Close()) }()
	var lines [][]byte
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, maxJSONSize)
	for sc.Scan() {
		lines = append(lines, bytes.Clone(sc.Bytes()))
	}
	require.NoError(t, sc.Err())
	require.NotEmpty(t, lines)
	return lines
}

// forShapes calls f with every line of the recordings and the shapes.
func forShapes(t testing.TB, f func(parse parseFunc, line []byte)) {
	t.Helper()
	for _, dir := range []struct {
		name  string
		parse parseFunc
	}{{"agent", ParseAgentMessage}, {"server", ParseServerMessage}} {
		for _, kind := range []string{"messages", "shapes"} {
			for _, line := range readLines(t, "testdata/"+dir.name+"-"+kind+".jsonl") {
				f(dir.parse, line)
			}
		}
	}
}

// meaning decodes JSON and drops members that are null, which the peers treat as absent.
func meaning(t testing.TB, b []byte) any {
	t.Helper()
	var v any
	require.NoError(t, json.Unmarshal(b, &v), "%s", b)
	var drop func(v any)
	drop = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for k, e := range v {
				if e == nil {
					delete(v, k)
				}
				drop(e)
			}
		case []any:
			for _, e := range v {
				drop(e)
			}
		}
	}
	drop(v)
	return v
}

func extraOf(m JSONMessage) map[string]json.RawMessage {
	return reflect.ValueOf(m).Elem().FieldByName("Extra").Interface().(map[string]json.RawMessage)
}

// stable demands that a message which was read is written and read again without change, and gives what was written.
func stable(t testing.TB, parse parseFunc, m JSONMessage) []byte {
	t.Helper()
	out, err := AppendJSON(nil, m)
	require.NoError(t, err)
	require.Equal(t, byte('{'), out[0])
	again, err := parse(out)
	require.NoError(t, err, "%s", out)
	require.Equal(t, m, again, "%s", out)
	out2, err := AppendJSON(nil, again)
	require.NoError(t, err)
	require.Equal(t, string(out), string(out2))
	return out
}

func TestMessagesKeepTheirMeaning(t *testing.T) {
	types := map[string]bool{}
	forShapes(t, func(parse parseFunc, line []byte) {
		m, err := parse(line)
		require.NoError(t, err, "%s", line)
		out := stable(t, parse, m)
		require.Empty(t, cmp.Diff(meaning(t, line), meaning(t, out)), "%s", line)
		types[reflect.TypeOf(m).Elem().Name()] = true

		// Blanks, the order and the escaping do not matter, and an unknown field survives with everything in it.
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(line, &members))
		unknown := `{"deep":[1,null,"\u00e9",{"a":1.50}],"n":null}`
		members["zzUnknown"] = json.RawMessage(unknown)
		loose, err := json.MarshalIndent(members, "", "\t")
		require.NoError(t, err)
		m, err = parse(loose)
		require.NoError(t, err)
		require.JSONEq(t, unknown, string(extraOf(m)["zzUnknown"]))
		out = stable(t, parse, m)
		require.Empty(t, cmp.Diff(meaning(t, loose), meaning(t, out)))
	})
	require.Equal(t, messageTypes(t), types, "a message type without a shape")
}

// messageTypes finds the names of all message types in the functions that make them.
func messageTypes(t *testing.T) map[string]bool {
	t.Helper()
	types := map[string]bool{"UnknownMessage": true}
	files, err := filepath.Glob("json_*.go")
	require.NoError(t, err)
	for _, file := range files {
		src, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`return new\((\w+)\)`).FindAllSubmatch(src, -1) {
			types[string(m[1])] = true
		}
	}
	return types
}

func TestRecordedMessagesAreKnown(t *testing.T) {
	for file, parse := range map[string]parseFunc{
		"testdata/agent-messages.jsonl":  ParseAgentMessage,
		"testdata/server-messages.jsonl": ParseServerMessage,
	} {
		for _, line := range readLines(t, file) {
			m, err := parse(line)
			require.NoError(t, err)
			require.Empty(t, extraOf(m), "a recorded field that no struct names: %s", line)
		}
	}
}

func TestRecordedMessagesByteForByte(t *testing.T) {
	// What the stock server sends in the order in which this package writes it.
	for _, line := range readLines(t, "testdata/server-messages.jsonl") {
		if bytes.HasPrefix(line, []byte(`{"action":"msg","responseid"`)) {
			continue // the order of a browser's command
		}
		m, err := ParseServerMessage(line)
		require.NoError(t, err)
		out, err := AppendJSON([]byte("x"), m)
		require.NoError(t, err)
		require.Equal(t, "x"+string(line), string(out))
	}
}

// TestWrongShapes replaces each field of each message by values of every other shape.
func TestWrongShapes(t *testing.T) {
	wrong := []string{`null`, `true`, `false`, `0`, `-1`, `1.5`, `1e400`, `4294967296`, `""`, `"5"`, `"x"`, `[]`, `[null]`, `[1]`,
		`["x"]`, `[[]]`, `[{}]`, `{}`, `{"a":1}`, `{"a":{}}`, `{"a":[{"b":[]}]}`}
	refused, kept := 0, 0
	forShapes(t, func(parse parseFunc, line []byte) {
		var members map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(line, &members))
		for name, right := range members {
			for _, w := range wrong {
				members[name] = json.RawMessage(w)
				b, err := json.Marshal(members)
				require.NoError(t, err)
				m, err := parse(b)
				if err != nil {
					var e *JSONError
					require.ErrorAs(t, err, &e)
					require.NotEmpty(t, e.Field, "%s: %v", b, err)
					refused++
					continue
				}
				stable(t, parse, m)
				kept++
			}
			members[name] = right
		}
	})
	require.NotZero(t, refused)
	require.NotZero(t, kept)
}

func TestNumbersAndTextsAreExchangeable(t *testing.T) {
	m, err := ParseAgentMessage([]byte(`{"action":"getScript","type":"2"}`)) // as the core's console command sends it
	require.NoError(t, err)
	require.Equal(t, &GetScript{Type: 2}, m)

	m, err = ParseServerMessage([]byte(`{"action":"msg","type":"tunnel","value":"*/agenttransfer.ashx?c=x","rights":"4294967295"}`))
	require.NoError(t, err)
	require.Equal(t, &TunnelRequest{URL: NewSecretURL("*/agenttransfer.ashx?c=x"), UserContext: UserContext{Rights: 0xffffffff}}, m)

	m, err = ParseServerMessage([]byte(`{"action":"msg","type":"console","value":5,"rights":-1}`)) // what | makes of all bits set
	require.NoError(t, err)
	require.Equal(t, &ConsoleCommand{Value: "5", UserContext: UserContext{Rights: 0xffffffff}}, m)

	m, err = ParseServerMessage([]byte(`{"action":"poweraction","actiontype":"3","forced":true}`))
	require.NoError(t, err)
	require.Equal(t, &PowerAction{Type: PowerReset, Forced: true}, m)

	m, err = ParseAgentMessage([]byte(`{"action":"msg","type":"cpuinfo","cpu":{"cpus":[null,2],"total":null},"thermals":[{"CurrentTemperature":"27.85","InstanceName":"tz"}]}`))
	require.NoError(t, err)
	temperature := 27.85
	require.Equal(t, &CPUInfo{
		CPU:      &CPULoad{CPUs: []float64{0, 2}},
		Thermals: []Thermal{{CurrentTemperature: &temperature, InstanceName: "tz"}},
	}, m)
}

func TestCoreInfoKeepsFieldsOfTheWrongShape(t *testing.T) {
	m, err := ParseAgentMessage([]byte(`{"action":"coreinfo","osdesc":{"x":1},"users":"ann","av":[5],"intelamt":{"Flags":"y"},"name":"pc"}`))
	require.NoError(t, err)
	info := m.(*CoreInfo)
	require.Equal(t, AgentString("pc"), info.Name)
	require.Equal(t, map[string]json.RawMessage{
		"osdesc": json.RawMessage(`{"x":1}`),
		"users":  json.RawMessage(`"ann"`),
		"av":     json.RawMessage(`[5]`),
	}, info.Extra)
	require.Equal(t, map[string]json.RawMessage{"Flags": json.RawMessage(`"y"`)}, info.IntelAMT.Extra)
}

// TestCleaningComesFirst: what is no number must not become one when it is sent on, cleaned.
func TestCleaningComesFirst(t *testing.T) {
	m, err := ParseAgentMessage([]byte(`{"action":"battery","level":"5\u00010"}`))
	require.NoError(t, err)
	level := 50.0
	require.Equal(t, &Battery{Level: &level}, m)
	m, err = ParseAgentMessage([]byte(`{"action":"coreinfo","root":"true\ufeff","caps":"1\u0001","intelamt":{"Versions":{"a":{},"a\u0001":"x"}}}`))
	require.NoError(t, err)
	info := m.(*CoreInfo)
	require.True(t, *info.Root)
	require.EqualValues(t, 1, *info.Caps)
	require.Equal(t, map[AgentString]AgentString{"a": "x"}, info.IntelAMT.Versions)
}

func TestRouteOfTheWrongShapeIsRefused(t *testing.T) {
	// Left out, it would mean "to everybody".
	for _, typ := range []string{"console", "cpuinfo", "getclip", "whatever"} {
		for _, route := range []string{`{}`, `["user//a/b"]`} {
			_, err := ParseAgentMessage([]byte(`{"action":"msg","type":"` + typ + `","sessionid":` + route + `}`))
			require.ErrorIs(t, err, ErrJSONField, typ)
		}
	}
}

func TestBounds(t *testing.T) {
	nested := func(n int) string {
		return `{"action":"x","a":` + strings.Repeat("[", n-1) + strings.Repeat("]", n-1) + `}`
	}
	many := func(n int) string { return `{"action":"x","a":[` + strings.Repeat("1,", n) + `1]}` }
	for name, tc := range map[string]struct {
		in  string
		err error
	}{
		"empty":               {"", ErrJSONSyntax},
		"blank in front":      {` {"action":"ping"}`, ErrJSONSyntax},
		"byte order mark":     {"\ufeff{}", ErrJSONSyntax},
		"array":               {`[{"action":"ping"}]`, ErrJSONSyntax},
		"cut":                 {`{"action":"ping"`, ErrJSONSyntax},
		"two objects":         {`{"action":"ping"}{}`, ErrJSONSyntax},
		"no action":           {`{"type":"console"}`, ErrJSONField},
		"action null":         {`{"action":null}`, ErrJSONField},
		"action number":       {`{"action":1}`, ErrJSONField},
		"action empty":        {`{"action":""}`, ErrJSONField},
		"action with control": {`{"action":"pi\u0000ng"}`, ErrJSONField},
		"action too long":     {`{"action":"` + strings.Repeat("x", 300) + `"}`, ErrJSONField},
		"type with control":   {`{"action":"msg","type":"conso\u0007le"}`, ErrJSONField},
		"name with control":   {`{"action":"ping","acti\u0000on":"coreinfo"}`, ErrJSONField},
		"deep enough":         {nested(maxJSONDepth), nil},
		"too deep":            {nested(maxJSONDepth + 1), ErrJSONLimit},
		"very deep":           {nested(1 << 20), ErrJSONLimit},
		"many":                {many(maxJSONValues - 4), nil},
		"too many":            {many(maxJSONValues), ErrJSONLimit},
		"large":               {`{"action":"x","a":"` + strings.Repeat("x", maxRawString) + `"}`, nil},
		"one text too large":  {`{"action":"x","a":"` + strings.Repeat("x", maxRawString+1) + `"}`, ErrJSONLimit},
		"too large":           {`{"action":"x","a":"` + strings.Repeat("x", maxJSONSize) + `"}`, ErrJSONLimit},
		"session id too long": {`{"action":"msg","type":"console","sessionid":"` + strings.Repeat("x", 513) + `"}`, ErrJSONLimit},
		"too many users":      {`{"action":"coreinfo","users":[` + strings.Repeat(`"a",`, 4096) + `"a"]}`, ErrJSONLimit},
		"too many addresses":  {`{"action":"netinfo","netif2":{"e":[` + strings.Repeat(`{},`, maxAddresses) + `{}]}}`, ErrJSONLimit},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := ParseAgentMessage([]byte(tc.in))
			if tc.err == nil {
				require.NoError(t, err)
				stable(t, ParseAgentMessage, m)
				return
			}
			require.ErrorIs(t, err, tc.err)
			require.Nil(t, m)
			require.Less(t, len(err.Error()), 400)
		})
	}
}

func TestEveryPrefixIsRefused(t *testing.T) {
	forShapes(t, func(parse parseFunc, line []byte) {
		for i := range line {
			_, err := parse(line[:i])
			require.ErrorIs(t, err, ErrJSONSyntax, "%s", line[:i])
		}
	})
}

func TestWhatCannotBeSent(t *testing.T) {
	inf := math.Inf(1)
	for name, m := range map[string]JSONMessage{
		"no action":          &UnknownMessage{},
		"extra not JSON":     &Ping{Extra: map[string]json.RawMessage{"a": json.RawMessage(`{`)}},
		"extra empty":        &Ping{Extra: map[string]json.RawMessage{"a": nil}},
		"extra names action": &Ping{Extra: map[string]json.RawMessage{"action": json.RawMessage(`"coreinfo"`)}},
		"extra names field":  &ConsoleOutput{Value: "a", Extra: map[string]json.RawMessage{"value": json.RawMessage(`"b"`)}},
		"extra in extra":     &CPUInfo{CPU: &CPULoad{Extra: map[string]json.RawMessage{"x": json.RawMessage(`x`)}}},
		"not finite":         &Battery{Level: &inf},
		"not a service op":   &ControlService{Op: "serviceExplode"},
		"too large":          &SetClipboard{Data: NewSecret(strings.Repeat("x", maxJSONSize))},
	} {
		out, err := AppendJSON([]byte("before"), m)
		var e *JSONError
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, "before", string(out), name)
	}
}

func TestSysInfoValidate(t *testing.T) {
	long := func(n int) string { return strings.Repeat("x", n) }
	// The verdicts are those of the stock server's validateObjectForMongo, which was run on the same documents.
	for _, tc := range []struct {
		data string
		ok   bool
	}{
		{`{"hash":"9f","hardware":{"a_1":{"B":"c"}}}`, true},
		{`{"hash":"9f","a":null}`, true},
		{`{"hash":"9f","":1}`, true},
		{`{"hash":"9f","a":"` + long(1024) + `"}`, true},
		{`{"hash":"9f","a":"` + long(1025) + `"}`, false},
		{`{"hash":"9f","a":"` + strings.Repeat("😀", 512) + `"}`, true},
		{`{"hash":"9f","a":"` + strings.Repeat("😀", 513) + `"}`, false},
		{`{"hash":"9f","` + long(100) + `":1}`, true},
		{`{"hash":"9f","` + long(101) + `":1}`, false},
		{`{"hash":"9f","a":{"b-c":1}}`, false},
		{`{"hash":"9f","a":{"b c":1}}`, false},
		{`{"hash":"9f","a":["` + long(2000) + `",{"b c":1}]}`, true},
		{`{"hash":5}`, false},
		{`{}`, false},
		{`[]`, false},
		{`"x"`, false},
		{`null`, false},
	} {
		m, err := ParseAgentMessage([]byte(`{"action":"sysinfo","data":` + tc.data + `}`))
		require.NoError(t, err)
		err = m.(*SysInfo).Validate()
		require.Equal(t, tc.ok, err == nil, "%s: %v", tc.data[:min(60, len(tc.data))], err)
	}
	require.Error(t, (&SysInfo{Data: NewSystemData(json.RawMessage(` {"hash":"9f","b-c":1}`))}).Validate())
	m, err := ParseAgentMessage([]byte(`{"action":"sysinfo","data":{"hash":"9f","x":1}}`))
	require.NoError(t, err)
	require.Equal(t, AgentString("9f"), m.(*SysInfo).Hash())
	require.Empty(t, (&SysInfo{Data: NewSystemData(json.RawMessage(`{"hash":5}`))}).Hash())
	require.Empty(t, (&SysInfo{}).Hash())
	require.Equal(t, AgentString("a"), (&SysInfo{Data: NewSystemData(json.RawMessage(`{"hash":"a","HASH":"b"}`))}).Hash())
}

func TestSessions(t *testing.T) {
	m, err := ParseAgentMessage([]byte(`{"action":"sessions","type":"kvm","value":{"user//admin":2,"user//bob":0,"user//eve":"x"}}`))
	require.NoError(t, err)
	require.Equal(t, map[AgentString]int{"user//admin": 2}, m.(*AgentSessions).Counts())

	m, err = ParseAgentMessage([]byte(`{"action":"sessions","type":"msg","value":[{"msg":"a"},{"msg":"b"}]}`)) // the recovery core
	require.NoError(t, err)
	require.JSONEq(t, `{"msg":"b"}`, string(m.(*AgentSessions).Value["1"]))

	m, err = ParseAgentMessage([]byte(`{"action":"sessions","type":"app"}`))
	require.NoError(t, err)
	out := stable(t, ParseAgentMessage, m)
	require.Equal(t, `{"action":"sessions","type":"app","value":{}}`, string(out))
}

func TestProcesses(t *testing.T) {
	for _, tc := range []struct {
		value EmbeddedJSON
		want  []ProcessEntry
	}{
		{`{"1":{"cmd":"/sbin/init","user":"root"},"77":{"pid":77,"cmd":"a\u0007<b>"}}`, []ProcessEntry{{1, "/sbin/init", "root"}, {77, "a<b>", ""}}},
		{`[{"pid":3,"cmd":"x"},null,5]`, []ProcessEntry{{PID: 3, Command: "x"}}},
		{`{}`, []ProcessEntry{}},
	} {
		got, err := (&ProcessList{Value: tc.value}).Processes()
		require.NoError(t, err)
		require.Equal(t, tc.want, got)
	}
	for _, bad := range []EmbeddedJSON{``, `{`, `}{`, `1,2`, EmbeddedJSON(strings.Repeat("[", 100))} {
		_, err := (&ProcessList{Value: bad}).Processes()
		require.Error(t, err, bad)
		require.Error(t, bad.Decode(new(any)))
	}
	for _, noList := range []EmbeddedJSON{`5`, `"x"`, `null`} {
		_, err := (&ProcessList{Value: noList}).Processes()
		require.ErrorIs(t, err, ErrJSONField, noList)
	}
	var services []struct{ Name AgentString }
	require.NoError(t, EmbeddedJSON(`[{"name":"s\u001bsh"}]`).Decode(&services))
	require.Equal(t, AgentString("ssh"), services[0].Name)
}

func TestInvalidUTF8(t *testing.T) {
	m, err := ParseAgentMessage([]byte("{\"action\":\"msg\",\"type\":\"console\",\"value\":\"a\xffb\",\"\xfe\":\"\xfd\"}"))
	require.NoError(t, err)
	require.Equal(t, AgentText("a\ufffdb"), m.(*ConsoleOutput).Value)
	require.Equal(t, `"`+"\ufffd"+`"`, string(extraOf(m)["\ufffd"]))
	stable(t, ParseAgentMessage, m)
}

func TestJSONErrorNamesTheField(t *testing.T) {
	_, err := ParseAgentMessage([]byte(`{"action":"netinfo","netif2":{"eth0":[{"address":{}}]}}`))
	require.EqualError(t, err, `agentproto: JSON message "netinfo", field "netif2.eth0.address": bad field (want a string, have an object)`)
}

func ExampleParseAgentMessage() {
	m, err := ParseAgentMessage([]byte(`{"action":"coreinfo","osdesc":"Debian <b>GNU</b>\u0007","caps":14,"value":"my core"}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	switch m := m.(type) {
	case *CoreInfo:
		fmt.Println(*m.Caps, m.OSDesc) // still not safe as HTML
	case *UnknownMessage:
		fmt.Println("ignored:", m)
	}
	// Output: terminal|files|console Debian <b>GNU</b>
}

func ExampleAppendJSON() {
	b, err := AppendJSON(nil, &RunCommands{Type: ShellUnix, Cmds: "uname -s", Reply: true, ResponseID: "r1"})
	fmt.Println(string(b), err)
	// Output: {"action":"runcommands","type":3,"cmds":"uname -s","runAsUser":0,"reply":true,"responseid":"r1"} <nil>
}

func ExampleUnknownMessage() {
	m := &UnknownMessage{Name: "myaction", Extra: map[string]json.RawMessage{"answer": json.RawMessage(`42`)}}
	b, err := AppendJSON(nil, m)
	fmt.Println(string(b), err)
	// Output: {"action":"myaction","answer":42} <nil>
}
