package jsonrec

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/internal/secret"
)

func TestNullAndShown(t *testing.T) {
	type record struct {
		Host string      `json:"host,null"`
		Port uint16      `json:"port,null"`
		Next *record     `json:"next,null"`
		Pass secret.Text `json:"pass,shown"`
	}
	for _, c := range []struct {
		r    record
		want string
	}{
		{record{}, `{"host":null,"port":null,"next":null}`},
		{record{Pass: secret.New("1")}, `{"host":null,"port":null,"next":null,"pass":1}`},
		{record{Host: "h", Port: 1, Pass: secret.New("11")}, `{"host":"h","port":1,"next":null,"pass":"11"}`},
		{record{Next: &record{}}, `{"host":null,"port":null,"next":{"host":null,"port":null,"next":null}}`},
	} {
		b, err := Append(nil, &c.r)
		require.NoError(t, err)
		require.Equal(t, c.want, string(b))
		var again record
		require.NoError(t, Unmarshal(b, &again))
		require.Equal(t, c.r.Pass.Reveal(), again.Pass.Reveal())
		require.Equal(t, c.r.Host, again.Host)
		require.Equal(t, c.r.Next == nil, again.Next == nil)
	}
	var bad struct {
		Name string `json:"name,shown"`
	}
	_, err := Append(nil, &bad)
	require.ErrorIs(t, err, ErrType)
}
