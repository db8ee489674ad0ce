package jsonrec

import (
	"encoding/json"
	"errors"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestEveryPrefix: a text that ends too early is an error wherever it ends, and so is one with more after it.
func TestEveryPrefix(t *testing.T) {
	whole := []string{deviceText(3), `{"raw":{"a":[1.5e+3,true,false,null]},"own":"1:2","lists":{"a":[{"a":"\u00e9\n"}]},"odd":{"b":[-0]}}`}
	for _, c := range exact {
		whole = append(whole, c.json)
	}
	for _, text := range whole {
		var v all
		require.NoError(t, Unmarshal([]byte(text), &v))
		for i := range text {
			prefix := []byte(text[:i])
			require.ErrorIs(t, Unmarshal(prefix, &v), ErrSyntax, "%s", prefix)
			require.ErrorIs(t, Unmarshal(prefix, &device{}), ErrSyntax, "%s", prefix)
			require.ErrorIs(t, Check(prefix, Limits{}), ErrSyntax, "%s", prefix)
			_, err := Peek(prefix, "a")
			require.ErrorIs(t, err, ErrSyntax, "%s", prefix)
		}
		for _, more := range []string{"x", "}", ",", "{}", "\x00"} {
			require.ErrorIs(t, Unmarshal([]byte(text+more), &v), ErrSyntax)
			require.ErrorIs(t, Check([]byte(text+more), Limits{}), ErrSyntax)
		}
	}
}

// TestSyntax: malformed inside of what is read, skipped and kept.
func TestSyntax(t *testing.T) {
	for _, bad := range []string{
		`01`, `1.`, `.5`, `+1`, `-`, `1e`, `1e+`, `0x1`, `NaN`, `tru`, `truee`, `nul`, `nulll`, `n`, `'a'`, `"a`, "\"\n\"", `"\x"`, `"\u12g4"`, `"\u12"`, `"\`,
		`[1,]`, `[,1]`, `[1 2]`, `[,]`, `[`, `[}`, `[1}`, `{]`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{"a":1 "b":2}`, `{a:1}`, `{"a"::1}`, `[{"a":[}]`, `[[]`, `]`, `}`, ``,
	} {
		for _, name := range []string{"text", "yes", "int", "big", "float", "maybeN", "bytes", "raw", "pass", "sec", "mins", "texts", "ints", "raws",
			"inner", "pinner", "inners", "byName", "lists", "words", "own", "odd"} {
			text := []byte(`{"` + name + `":` + bad + `}`)
			require.False(t, json.Valid(text))
			require.ErrorIs(t, Unmarshal(text, &all{}), ErrSyntax, "%s", text)
			require.ErrorIs(t, Unmarshal(text, &struct{}{}), ErrSyntax, "%s", text)
			require.ErrorIs(t, Check(text, Limits{}), ErrSyntax, "%s", text)
			_, err := Peek(text, name)
			require.ErrorIs(t, err, ErrSyntax, "%s", text)
		}
	}
	for _, bad := range []string{`[]`, `"a"`, `5`, `null`} {
		require.ErrorIs(t, Unmarshal([]byte(bad), &all{}), ErrShape, bad)
		require.ErrorIs(t, Members([]byte(bad), nil), ErrShape, bad)
	}
}

// nest puts inner into n times open and shut.
func nest(n int, open, inner, shut string) []byte {
	return []byte(strings.Repeat(open, n) + inner + strings.Repeat(shut, n))
}

func TestDepth(t *testing.T) {
	type own struct {
		Kids []own          `json:"kids"`
		Sub  map[string]own `json:"sub"`
	}
	for _, c := range []struct {
		text []byte
		deep bool
	}{
		{nest(32, `{"kids":[`, ``, `]}`), false},
		{nest(33, `{"kids":[`, ``, `]}`), true},
		{nest(32, `{"sub":{"a":`, `{}`, `}}`), true},
		{nest(31, `{"sub":{"a":`, `{"sub":{}}`, `}}`), false},
		{nest(63, `{"x":`, `[]`, `}`), false},
		{nest(64, `{"x":`, `[]`, `}`), true},
		{append(append([]byte(`{"odd":`), nest(63, `[`, ``, `]`)...), '}'), false},
		{append(append([]byte(`{"odd":`), nest(64, `[`, ``, `]`)...), '}'), true},
		{append([]byte(`{"odd":`), nest(1<<20, `[`, ``, ``)...), true},
		{nest(1<<20, `{"kids":[`, ``, ``), true},
	} {
		var want error
		if c.deep {
			want = ErrDepth
		}
		short := c.text[:min(len(c.text), 80)]
		for _, v := range []any{new(own), new(all), new(struct{})} {
			if err := Unmarshal(c.text, v); !errors.Is(err, want) && !errors.Is(err, ErrSyntax) {
				t.Errorf("%s: %v", short, err)
			}
		}
		_, err := Peek(c.text, "x")
		require.ErrorIs(t, err, want, "%s", short)
		require.ErrorIs(t, Check(c.text, Limits{}), want, "%s", short)
	}

	// On writing, a value that holds itself ends there too.
	type ring struct {
		Next *ring `json:"next"`
	}
	r := new(ring)
	r.Next = r
	b, err := Append([]byte("x"), r)
	require.ErrorIs(t, err, ErrDepth)
	require.Equal(t, "x", string(b))
	_, err = Append(nil, inner{Extra: raws{"a": nest(63, "[", "", "]")}})
	require.NoError(t, err)
	_, err = Append(nil, inner{Extra: raws{"a": nest(64, "[", "", "]")}})
	require.ErrorIs(t, err, ErrDepth)
	deepest := all{Raw: raw(`[]`)}
	for range 31 { // each is an object and an array
		deepest = all{Kids: []all{deepest}}
	}
	_, err = Append(nil, deepest)
	require.NoError(t, err)
	deepest = all{Inner: inner{Extra: raws{"a": raw(`[]`)}}} // in an object that is at the limit
	for range 31 {
		deepest = all{Kids: []all{deepest}}
	}
	_, err = Append(nil, deepest)
	require.ErrorIs(t, err, ErrDepth)
}

// TestBudget: three bytes of text do not become a kilobyte of memory many times over.
func TestBudget(t *testing.T) {
	many := []byte(`{"nodes":{"a":[` + strings.Repeat(`{},`, 1<<20) + `{}]}}`)
	require.ErrorIs(t, Unmarshal(many, &nodes{}), ErrLimit)
	for _, c := range []struct {
		item string
		list any
	}{
		{`{"x":1}`, new([]all)}, // Extra
		{`{}`, new([]raws)},     // maps
		{`{}`, new([]*all)},     // pointers
		{`"":{}`, new(map[key]raws)},
	} {
		open, shut := "[", "]"
		if c.item[0] == '"' {
			open, shut = "{", "}"
		}
		text := []byte(open + strings.Repeat(c.item+`,`, 1<<17) + c.item + shut)
		require.ErrorIs(t, Unmarshal(text, c.list), ErrLimit, "%T", c.list)
	}
	few := []byte(`{"nodes":{"a":[` + strings.Repeat(`{},`, 1000) + `{}]}}`)
	require.NoError(t, Unmarshal(few, &nodes{}))
}

func TestCheckLimits(t *testing.T) {
	text := []byte(`{"a":[1,2,{"b":null}],"c":""}`)
	require.NoError(t, Check(text, Limits{Size: len(text), Depth: 3, Values: 7}))
	require.ErrorIs(t, Check(text, Limits{Size: len(text) - 1}), ErrLimit)
	require.ErrorIs(t, Check(text, Limits{Depth: 2}), ErrDepth)
	require.ErrorIs(t, Check(text, Limits{Values: 6}), ErrLimit)
	require.ErrorIs(t, Check(nest(65, "[", "", "]"), Limits{Depth: 1000}), ErrDepth)
}

func TestPeekAndMembers(t *testing.T) {
	text := []byte(` { "action" : "a" , "n":null, "x" :[1, {"action":2}],"ac\u0074ion":"b", "e":{} } `)
	got, err := Peek(text, "x", "action", "n", "none", "e", "x")
	require.NoError(t, err)
	require.Equal(t, []json.RawMessage{raw(`[1, {"action":2}]`), raw(`"b"`), nil, nil, raw(`{}`), raw(`[1, {"action":2}]`)}, got)

	var seen []string
	require.NoError(t, Members(text, func(name string, value json.RawMessage) error {
		seen = append(seen, name+"="+string(value))
		return nil
	}))
	require.Equal(t, []string{`action="a"`, `n=null`, `x=[1, {"action":2}]`, `action="b"`, `e={}`}, seen)
	require.Equal(t, io.EOF, Members(text, func(string, json.RawMessage) error { return io.EOF }))
	require.NoError(t, Members([]byte(`{ }`), nil))
}

// TestTypes: types that cannot be used are an error, with the name of the field.
func TestTypes(t *testing.T) {
	for _, v := range []any{
		&struct{ T time.Time }{}, &struct{ D time.Duration }{}, &struct{ C chan int }{}, &struct{ A any }{}, &struct{ F func() }{}, &struct{ M map[int]string }{},
		&struct {
			T time.Time `json:"t,secs"`
		}{},
		&struct {
			T int `json:"t,seconds"`
		}{},
		&struct {
			A int `json:"B"`
			B int
		}{},
		&struct{ P **int }{}, &struct{ A [3]int }{}, &struct{ F float32 }{},
	} {
		require.ErrorIs(t, Unmarshal([]byte(`{}`), v), ErrType, "%T", v)
		_, err := Append(nil, v)
		require.ErrorIs(t, err, ErrType, "%T", v)
	}
	require.ErrorIs(t, Unmarshal([]byte(`{}`), all{}), ErrType)
	require.ErrorIs(t, Unmarshal([]byte(`{}`), nil), ErrType)
	require.ErrorIs(t, Unmarshal([]byte(`{}`), (*all)(nil)), ErrType)
}

func TestValues(t *testing.T) {
	for _, v := range []any{
		all{Float: math.NaN()}, all{Float: math.Inf(-1)}, all{ISO: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}, all{Ms: time.Unix(1<<60, 0)}, badOwn{1},
	} {
		b, err := Append([]byte("x"), v)
		require.ErrorIs(t, err, ErrValue)
		require.Equal(t, "x", string(b))
	}
	b, err := Append(nil, all{Float: math.Copysign(0, -1), Kept: "k"})
	require.NoError(t, err)
	require.Equal(t, `{"kept":"k"}`, withoutMsecs(b))
	for want, v := range map[string]any{
		`null`: nil, `5`: 5, `"a"`: "a", `["a","b"]`: []string{"a", "b"}, `{"a":1,"b":2}`: map[string]int{"b": 2, "a": 1}, `true`: ptr(true), `{}`: map[key]bool(nil),
		`1e+21`: 1e21, `123456789012345680000`: 123456789012345678901.0, `1e-7`: 1e-7, `"1:2"`: own{1, 2},
	} {
		b, err := Append(nil, v)
		require.NoError(t, err)
		require.Equal(t, want, string(b))
	}
	b, err = Append(nil, (*all)(nil))
	require.NoError(t, err)
	require.Equal(t, `null`, string(b))
}

// badOwn writes what is no JSON.
type badOwn struct{ x int }

func (badOwn) AppendJSONRec(b []byte) ([]byte, error) { return append(b, `{"a":`...), nil }
func (*badOwn) UnmarshalJSONRec([]byte) error         { return nil }

// TestKeepingOne: one device that is kept does not keep the reply it came in.
func TestKeepingOne(t *testing.T) {
	data := nodesText(10_000)
	size := uint64(len(data))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	one := func() device {
		var n nodes
		require.NoError(t, Unmarshal(data, &n))
		require.Len(t, n.Nodes["mesh//x"], 10_000)
		return n.Nodes["mesh//x"][5000]
	}()
	runtime.GC()
	runtime.ReadMemStats(&after)
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > int64(size/10) {
		t.Errorf("one device of %d keeps %d bytes", size, kept)
	}
	require.Equal(t, "DESK-05000", one.Name)
	runtime.KeepAlive(data)
}

// TestMemory: a reply and what it is read into take less than four times its size.
func TestMemory(t *testing.T) {
	data := nodesText(10_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var n nodes
	require.NoError(t, Unmarshal(data, &n))
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 3*uint64(len(data)) {
		t.Errorf("a reply of %d bytes takes another %d", len(data), took)
	}
}
