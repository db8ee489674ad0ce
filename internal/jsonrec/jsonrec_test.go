package jsonrec

import (
	"encoding/json"
	"fmt"
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
	Small   int8                       `json:"small"`
	Bits    uint32                     `json:"bits"`
	Big     uint64                     `json:"big"`
	Float   float64                    `json:"float"`
	MaybeN  *int                       `json:"maybeN"`
	MaybeB  *bool                      `json:"maybeB"`
	Bytes   []byte                     `json:"bytes"`
	Raw     json.RawMessage            `json:"raw"`
	Pass    secret.Text                `json:"pass"`
	URL     secret.URL                 `json:"url"`
	Sec     time.Time                  `json:"sec,sec"`
	Ms      time.Time                  `json:"ms,ms"`
	ISO     time.Time                  `json:"iso,iso"`
	PSec    *time.Time                 `json:"psec,sec"`
	Hours   time.Duration              `json:"hours,hours"`
	Mins    time.Duration              `json:"mins,mins"`
	Secs    time.Duration              `json:"secs,secs"`
	Msecs   time.Duration              `json:"msecs,msecs"`
	Texts   []string                   `json:"texts"`
	Ints    []int                      `json:"ints"`
	Inner   inner                      `json:"inner"`
	PInner  *inner                     `json:"pinner"`
	Inners  []inner                    `json:"inners"`
	PInners []*inner                   `json:"pinners"`
	ByName  map[string]inner           `json:"byName"`
	Lists   map[key][]inner            `json:"lists"`
	Words   map[string]string          `json:"words"`
	Own     own                        `json:"own"`
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

func TestSmoke(t *testing.T) {
	const text = `{"_id":"node//x","text":"a","kept":"","yes":true,"int":-5,"bits":4294967295,"float":1.5,"bytes":"AQI=","raw":[1,{"a":2}],` +
		`"pass":"secret","url":"https://a/b?auth=c","sec":1700000000,"ms":1700000000123,"iso":"2023-11-14T22:13:20.123Z","mins":1.5,` +
		`"texts":["a","b"],"ints":[1,2],"inner":{"a":"x"},"pinner":{},"inners":[{"n":1},{}],"lists":{"mesh//x":[{"a":"d"}]},"own":"3:4","kids":[{"kept":"z"}],"odd":1}`
	var v all
	require.NoError(t, Unmarshal([]byte(text), &v))
	b, err := Append(nil, v)
	require.NoError(t, err)
	require.Equal(t, text, string(b))
	p, err := Peek([]byte(text), "own", "none", "odd")
	require.NoError(t, err)
	require.Equal(t, []json.RawMessage{json.RawMessage(`"3:4"`), nil, json.RawMessage(`1`)}, p)
}
