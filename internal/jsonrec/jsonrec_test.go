package jsonrec

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/secret"
)

// all has a field of every kind.
type all struct {
	base
	Text    string                     `json:"text"`
	Kept    string                     `json:"kept,keep"`
	Yes     bool                       `json:"yes"`
	Int     int                        `json:"int"`
	Long    int64                      `json:"long"`
	Small   int8                       `json:"small"`
	Bits    uint32                     `json:"bits"`
	Big     uint64                     `json:"big"`
	Float   float64                    `json:"float"`
	MaybeN  *int                       `json:"maybeN"`
	MaybeB  *bool                      `json:"maybeB"`
	MaybeT  *string                    `json:"maybeT"`
	Bytes   []byte                     `json:"bytes"`
	Raw     json.RawMessage            `json:"raw"`
	Pass    secret.Text                `json:"pass"`
	URL     secret.URL                 `json:"url"`
	Sec     time.Time                  `json:"sec,sec"`
	Ms      time.Time                  `json:"ms,ms"`
	ISO     time.Time                  `json:"iso,iso"`
	PSec    *time.Time                 `json:"psec,sec"`
	Times   []time.Time                `json:"times,ms"`
	Hours   time.Duration              `json:"hours,hours"`
	Mins    time.Duration              `json:"mins,mins"`
	Wait    time.Duration              `json:"secs,secs"`
	Delay   time.Duration              `json:"msecs,msecs,keep"`
	Texts   []string                   `json:"texts"`
	Keys    []key                      `json:"keys"`
	Ints    []int                      `json:"ints"`
	Yeses   []bool                     `json:"yeses"`
	Raws    []json.RawMessage          `json:"raws"`
	Grid    [][]string                 `json:"grid"`
	Inner   inner                      `json:"inner"`
	PInner  *inner                     `json:"pinner"`
	Inners  []inner                    `json:"inners"`
	PInners []*inner                   `json:"pinners"`
	ByName  map[string]inner           `json:"byName"`
	Lists   map[key][]inner            `json:"lists"`
	Words   map[string]string          `json:"words"`
	Members map[string]json.RawMessage `json:"members"`
	Own     own                        `json:"own"`
	POwn    *own                       `json:"pown"`
	Kids    []all                      `json:"kids"`
	Hidden  string                     `json:"-"`
	Extra   map[string]json.RawMessage `json:"-"`
}

type base struct {
	ID string `json:"_id"`
}

type key string

type inner struct {
	A     string                     `json:"a"`
	N     int                        `json:"n"`
	Extra map[string]json.RawMessage `json:"-"`
}

// own writes itself as a string of two numbers.
type own struct{ x, y int }

func (o own) AppendJSONRec(b []byte) ([]byte, error) {
	return AppendString(b, fmt.Sprintf("%d:%d", o.x, o.y)), nil
}

func (o *own) UnmarshalJSONRec(raw []byte) error {
	var s string
	if err := Unmarshal(raw, &s); err != nil {
		return err
	}
	_, err := fmt.Sscanf(s, "%d:%d", &o.x, &o.y)
	return err
}

func ptr[T any](v T) *T { return &v }

type raws = map[string]json.RawMessage

func raw(s string) json.RawMessage { return json.RawMessage(s) }

var noon = time.Date(2023, 11, 14, 22, 13, 20, 0, time.UTC)

// exact are records with their JSON, which is read and written as it stands. msecs, a number that is always written, is
// left out.
var exact = []struct {
	name, json string
	want       all
}{
	{"empty", `{"kept":""}`, all{}},
	{"embedded", `{"_id":"node//x","kept":""}`, all{base: base{ID: "node//x"}}},
	{"text", `{"text":"a\"\\\n\u0001ü\u2028","kept":"k"}`, all{Text: "a\"\\\n\x01ü\u2028", Kept: "k"}},
	{"bool", `{"kept":"","yes":true}`, all{Yes: true}},
	{"numbers", `{"kept":"","int":-5,"long":-9007199254740993,"small":-128,"bits":4294967295,"big":18446744073709551615,"float":1.5e-9}`,
		all{Int: -5, Long: -9007199254740993, Small: -128, Bits: 1<<32 - 1, Big: 1<<64 - 1, Float: 1.5e-9}},
	{"pointers to zero", `{"kept":"","maybeN":0,"maybeB":false,"maybeT":""}`, all{MaybeN: ptr(0), MaybeB: ptr(false), MaybeT: ptr("")}},
	{"bytes", `{"kept":"","bytes":"AP8="}`, all{Bytes: []byte{0, 255}}},
	{"no bytes", `{"kept":"","bytes":""}`, all{Bytes: []byte{}}},
	{"raw", `{"kept":"","raw":{"b":[1,{"a":null}],"a":"x y"}}`, all{Raw: raw(`{"b":[1,{"a":null}],"a":"x y"}`)}},
	{"seconds", `{"kept":"","sec":1700000000}`, all{Sec: noon}},
	{"before 1970", `{"kept":"","sec":-1}`, all{Sec: time.Unix(-1, 0).UTC()}},
	{"milliseconds", `{"kept":"","ms":1700000000123}`, all{Ms: noon.Add(123 * time.Millisecond)}},
	{"ISO", `{"kept":"","iso":"2023-11-14T22:13:20.120Z"}`, all{ISO: noon.Add(120 * time.Millisecond)}},
	{"pointer to a time", `{"kept":"","psec":1700000000}`, all{PSec: &noon}},
	{"pointer to no time", `{"kept":"","psec":0}`, all{PSec: &time.Time{}}},
	{"times", `{"kept":"","times":[1700000000000,0]}`, all{Times: []time.Time{noon, {}}}},
	{"durations", `{"kept":"","hours":48,"mins":1.5,"secs":-3}`, all{Hours: 48 * time.Hour, Mins: 90 * time.Second, Wait: -3 * time.Second}},
	{"lists", `{"kept":"","texts":["a",""],"keys":["k"],"ints":[1,-2],"yeses":[true,false],"raws":[null,{}],"grid":[["a"],[]]}`,
		all{Texts: []string{"a", ""}, Keys: []key{"k"}, Ints: []int{1, -2}, Yeses: []bool{true, false},
			Raws: []json.RawMessage{raw(`null`), raw(`{}`)}, Grid: [][]string{{"a"}, {}}}},
	{"empty lists", `{"kept":"","texts":[],"inners":[],"byName":{}}`, all{Texts: []string{}, Inners: []inner{}, ByName: map[string]inner{}}},
	{"struct", `{"kept":"","inner":{"a":"x","n":1,"z":[]},"pinner":{}}`,
		all{Inner: inner{A: "x", N: 1, Extra: raws{"z": raw(`[]`)}}, PInner: &inner{}}},
	{"structs", `{"kept":"","inners":[{"a":"x"},{}],"pinners":[{"n":2}]}`, all{Inners: []inner{{A: "x"}, {}}, PInners: []*inner{{N: 2}}}},
	{"maps", `{"kept":"","byName":{"a":{"n":1},"b":{}},"lists":{"mesh//x":[{"a":"d"}],"mesh//y":[]},"words":{"":"","\"":"q"},"members":{"n":null}}`,
		all{ByName: map[string]inner{"b": {}, "a": {N: 1}}, Lists: map[key][]inner{"mesh//x": {{A: "d"}}, "mesh//y": {}},
			Words: map[string]string{"\"": "q", "": ""}, Members: raws{"n": raw(`null`)}}},
	{"own", `{"kept":"","own":"3:4","pown":"0:0"}`, all{Own: own{3, 4}, POwn: &own{}}},
	{"in itself", `{"kept":"","kids":[{"kept":"a","kids":[{"kept":"b"}]}]}`, all{Kids: []all{{Kept: "a", Kids: []all{{Kept: "b"}}}}}},
	{"extra", `{"kept":"","A":null,"a":{"x":[1,2]},"é":1}`, all{Extra: raws{"a": raw(`{"x":[1,2]}`), "A": raw(`null`), "é": raw(`1`)}}},
}

// withoutMsecs removes the field that exact leaves out.
func withoutMsecs(b []byte) string { return strings.ReplaceAll(string(b), `,"msecs":0`, "") }

func TestExact(t *testing.T) {
	for _, c := range exact {
		t.Run(c.name, func(t *testing.T) {
			b, err := Append([]byte("x"), c.want)
			require.NoError(t, err)
			require.Equal(t, "x"+c.json, withoutMsecs(b))
			again, err := Append(nil, &c.want)
			require.NoError(t, err)
			require.Equal(t, string(b[1:]), string(again))
			var v all
			require.NoError(t, Unmarshal(b[1:], &v))
			require.Equal(t, c.want, v)
			// In a large text strings are copied otherwise.
			var large struct {
				List []all          `json:"list"`
				Map  map[string]all `json:"map"`
			}
			text := `{"list":[null,` + c.json + `],"map":{"a":` + c.json + `}}` + strings.Repeat(" ", ownCopies)
			require.NoError(t, Unmarshal([]byte(text), &large))
			require.Equal(t, []all{c.want}, large.List)
			require.Equal(t, map[string]all{"a": c.want}, large.Map)
		})
	}
}

// TestSecrets: the real text goes to the peer, and encoding/json shows none.
func TestSecrets(t *testing.T) {
	v := struct {
		Pass  secret.Text   `json:"pass"`
		URL   secret.URL    `json:"url"`
		Codes []secret.Text `json:"codes"`
	}{secret.New("tiger"), secret.NewURL("https://h/x?auth=tiger"), []secret.Text{secret.New("tiger2")}}
	const text = `{"pass":"tiger","url":"https://h/x?auth=tiger","codes":["tiger2"]}`
	b, err := Append(nil, v)
	require.NoError(t, err)
	require.Equal(t, text, string(b))

	got := v
	got.Pass, got.URL, got.Codes = secret.Text{}, secret.URL{}, nil
	require.NoError(t, Unmarshal(b, &got))
	require.Equal(t, "tiger", got.Pass.Reveal())
	require.Equal(t, "https://h/x?auth=tiger", got.URL.Reveal())
	require.Equal(t, "tiger2", got.Codes[0].Reveal())

	b, err = json.Marshal(got)
	require.NoError(t, err)
	require.NotContains(t, string(b), "tiger")
	require.NotContains(t, fmt.Sprintf("%+v", got), "tiger")
}

// TestLenient: what JavaScript makes no difference of. Written, it has the right types.
func TestLenient(t *testing.T) {
	for _, c := range []struct {
		name, in, out string
	}{
		{"blanks", " { \"text\" :\t\"a\"\r\n, \"ints\" : [ 1 , 2 ] , \"odd\" : [ 1 , \" \" ] } ", `{"text":"a","ints":[1,2],"odd":[1," "]}`},
		{"number for text", `{"text":12.50,"texts":[1,true]}`, `{"text":"12.50","texts":["1","true"]}`},
		{"boolean for text", `{"text":false}`, `{"text":"false"}`},
		{"quoted number", `{"int":"-12","float":" 1.5 ","bits":"7"}`, `{"int":-12,"bits":7,"float":1.5}`},
		{"float for integer", `{"int":1e3,"small":-1.0}`, `{"int":1000,"small":-1}`},
		{"bits of JavaScript", `{"bits":-1}`, `{"bits":4294967295}`},
		{"lowest bits of JavaScript", `{"bits":-2147483648}`, `{"bits":2147483648}`},
		{"booleans", `{"yeses":[1,0,"true","false"]}`, `{"yeses":[true,false,true,false]}`},
		{"null", `{"text":null,"kept":null,"int":null,"inner":null,"pinner":null,"texts":null,"byName":null,"own":null,"raw":null}`, `{}`},
		{"null in arrays", `{"texts":[null,"a",null],"ints":[null,1],"yeses":[null],"inners":[null,{}],"pinners":[null]}`,
			`{"texts":["a"],"ints":[0,1],"yeses":[false],"inners":[{}],"pinners":[]}`},
		{"null in maps", `{"words":{"a":null,"b":"c"},"byName":{"a":{"n":1},"a":null}}`, `{"byName":{},"words":{"b":"c"}}`},
		{"the last counts", `{"text":"a","text":"b","inner":{"a":"x"},"inner":{"n":1},"ints":[1,2],"ints":[3],"odd":1,"odd":2}`,
			`{"text":"b","ints":[3],"inner":{"n":1},"odd":2}`},
		{"the last counts, though null", `{"text":"a","text":null}`, `{}`},
		{"the last counts, though wrong", `{"int":1,"int":{}}`, `{"int":{}}`},
		{"the last counts after a wrong one", `{"int":{},"int":1,"int":[],"int":2}`, `{"int":2}`},
		{"escapes", `{"t\u0065xt":"\ud83d\ude00\/\b\f","o\u0064d":"\u0041"}`, `{"text":"😀/\u0008\u000c","odd":"\u0041"}`},
		{"half surrogates", `{"text":"\ud83dx\ude00\ud83d\u0041"}`, "{\"text\":\"\ufffdx\ufffd\ufffdA\"}"},
		{"time in the other form", `{"sec":"2023-11-14T22:13:20.9Z","iso":1700000000000,"ms":"2023-11-14T23:13:20+01:00"}`,
			`{"sec":1700000000,"ms":1700000000000,"iso":"2023-11-14T22:13:20.000Z"}`},
		{"1970", `{"sec":"1970-01-01T00:00:00.9Z","ms":"1970-01-01T01:00:00+01:00","times":["1970-01-01T00:00:00Z"],"iso":"1970-01-01T00:00:00Z"}`,
			`{"iso":"1970-01-01T00:00:00.000Z","times":[0]}`},
		{"first and last year", `{"iso":"0000-01-01T01:00:00+01:00","ms":"9999-12-31T23:00:00-10:00"}`, `{"ms":253402333200000,"iso":"0000-01-01T00:00:00.000Z"}`},
		{"time with a fraction", `{"sec":1700000000.9,"ms":1700000000123.9}`, `{"sec":1700000000,"ms":1700000000123}`},
		{"no time", `{"sec":0,"ms":"0","iso":"","sec":0.5}`, `{}`},
		{"short duration", `{"secs":0.0004,"mins":"0.5"}`, `{"mins":0.5}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v all
			require.NoError(t, Unmarshal([]byte(c.in), &v))
			require.Equal(t, c.out, written(t, v))
		})
	}
}

// written gives v as JSON, without what is always written.
func written(t *testing.T, v all) string {
	t.Helper()
	b, err := Append(nil, v)
	require.NoError(t, err)
	var again all
	require.NoError(t, Unmarshal(b, &again))
	require.Equal(t, v, again)
	s := withoutMsecs(b)
	for _, kept := range []string{`"kept":"",`, `,"kept":""`, `"kept":""`} {
		s = strings.Replace(s, kept, "", 1)
	}
	return s
}

// TestWrongShape: such a member is kept as it is, and the others are read.
func TestWrongShape(t *testing.T) {
	for _, member := range []string{
		`"text":{}`, `"text":[]`, `"yes":2`, `"yes":"yes"`, `"yes":[]`, `"int":1.5`, `"int":"x"`, `"int":""`, `"int":"0x10"`, `"int":true`, `"int":1e30`,
		`"int":9223372036854775808`, `"small":128`, `"small":"-129"`, `"bits":4294967296`, `"bits":-2147483649`, `"big":-1`, `"big":18446744073709551616`,
		`"float":"NaN"`, `"float":1e999`, `"float":{}`, `"float":"1_0"`, `"maybeN":"x"`, `"bytes":"*"`, `"bytes":5`, `"bytes":[]`, `"pass":{}`, `"url":[]`,
		`"sec":"x"`, `"sec":8.65e15`, `"ms":-8.65e15`, `"ms":{}`, `"iso":"2023-02-30T00:00:00Z"`, `"iso":1e15`, `"iso":-1e15`,
		`"iso":253402300800000`, `"iso":"9999-12-31T23:59:59-01:00"`, `"iso":"0000-01-01T00:00:00+01:00"`, `"psec":true`, `"times":[1,"x"]`,
		`"hours":"x"`, `"hours":1e300`,
		`"texts":"a"`, `"texts":["a",{}]`, `"texts":{"length":1}`, `"ints":[1,"x"]`, `"grid":[["a"],"b"]`, `"inner":[]`, `"inner":"x"`, `"pinner":5`,
		`"inners":{}`, `"inners":[{},5]`, `"pinners":[[]]`, `"byName":[]`, `"byName":{"a":{"a":"x"},"b":5}`, `"lists":{"a":[{}],"b":{}}`, `"words":{"a":[]}`,
		`"own":5`, `"own":"x"`, `"pown":{}`, `"kids":[{"kids":[{"int":[]}]},"x"]`, `"msecs":[]`, `"kept":{"a":1}`,
	} {
		for _, text := range []string{
			`{` + member + `,"_id":"x"}`,
			`{"_id":"x",` + member + `}`,
			`{"_id":"x","kids":[{` + member + `}]}`,
		} {
			var v all
			require.NoError(t, Unmarshal([]byte(text), &v), text)
			b, err := Append(nil, v)
			require.NoError(t, err, text)
			require.Contains(t, string(b), member)
			require.Equal(t, "x", v.ID)
			holder := v
			if len(v.Kids) == 1 && v.Extra == nil {
				holder = v.Kids[0]
			}
			require.Len(t, holder.Extra, 1, text)
			name, _, _ := strings.Cut(member, ":")
			require.Equal(t, member, name+":"+string(holder.Extra[strings.Trim(name, `"`)]))
			holder.Extra, holder.base, holder.Kids = nil, base{}, nil
			require.Equal(t, all{}, holder, text)
		}
	}
	// Many of them do not add up to depth.
	var many all
	text := `{"_id":"x"` + strings.Repeat(`,"grid":[["a",{}]],"lists":{"a":[5]}`, 100) + `}`
	require.NoError(t, Unmarshal([]byte(text), &many))
	require.Len(t, many.Extra, 2)

	// Without Extra, it is dropped.
	var v struct {
		A int `json:"a"`
		B int `json:"b"`
	}
	require.NoError(t, Unmarshal([]byte(`{"a":{"b":[1]},"c":{},"b":2}`), &v))
	require.Equal(t, 2, v.B)
	require.Zero(t, v.A)
}

// TestExtraConflict: a member of its own is not overruled from Extra.
func TestExtraConflict(t *testing.T) {
	b, err := Append([]byte("x"), inner{A: "a", Extra: raws{"a": raw(`"b"`)}})
	require.ErrorIs(t, err, ErrExtra)
	require.Equal(t, "x", string(b))
	_, err = Append(nil, inner{Extra: raws{"b": raw(`{"b":`)}})
	require.ErrorIs(t, err, ErrSyntax)
	_, err = Append(nil, all{Raw: raw(`1 2`)})
	require.ErrorIs(t, err, ErrSyntax)
	b, err = Append(nil, inner{Extra: raws{"b": raw(" [ 1, \"\xff\" ] "), "c": nil}})
	require.NoError(t, err)
	require.Equal(t, "{\"b\":[1,\"\ufffd\"],\"c\":null}", string(b))
}

// TestExisting: what a message does not name stays, what it names is replaced altogether.
func TestExisting(t *testing.T) {
	v := all{Text: "old", Int: 1, Inner: inner{A: "old"}, ByName: map[string]inner{"old": {}}, Hidden: "h", Extra: raws{"old": raw(`1`)}}
	require.NoError(t, Unmarshal([]byte(`{"int":2,"inner":{"n":1},"byName":{"new":{}}}`), &v))
	require.Equal(t, all{Text: "old", Int: 2, Inner: inner{N: 1}, ByName: map[string]inner{"new": {}}, Hidden: "h"}, v)
}

func TestInvalidUTF8(t *testing.T) {
	in := "{\"text\":\"a\xff\xc3\xe2\x82b\",\"raw\":[\"\xff\"],\"words\":{\"\xfe\":\"\xc0\x80\"},\"o\xffd\":\"\xed\xa0\x80\"}"
	var v all
	require.NoError(t, Unmarshal([]byte(in), &v))
	want := all{Text: "a\ufffd\ufffd\ufffd\ufffdb", Raw: raw("[\"\ufffd\"]"), Words: map[string]string{"\ufffd": "\ufffd\ufffd"},
		Extra: raws{"o\ufffdd": raw("\"\ufffd\ufffd\ufffd\"")}}
	require.Equal(t, want, v)
	require.Equal(t, "\"a\ufffdb\"", string(AppendString(nil, "a\xffb")))
}

func TestNotRetained(t *testing.T) {
	data := []byte(`{"text":"text","texts":["a"],"raw":{"a":1},"words":{"key":"word"},"pass":"pass","odd":{"a":"b"},"own":"1:2"}`)
	var v, want all
	require.NoError(t, Unmarshal(data, &v))
	require.NoError(t, Unmarshal(append([]byte(nil), data...), &want))
	clear(data)
	require.Equal(t, want, v)
}
