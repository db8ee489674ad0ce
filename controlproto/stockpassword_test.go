package controlproto

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// vectorPassword was made by the hash function of pass.js of meshcentral 1.1.55: password "hello", salt text "c2FsdA==".
var vectorPassword = StockPassword{
	Salt: "c2FsdA==",
	Hash: NewSecret("hNh839twzIlJxAXMY9IWn61/K8MOj34qsg+GHeYFf8pWUET6zbr66B775tnS2Mxokmxo7VDZS/F8I7PvkWtzxgRJfq3Jg8wozha1+M9YV" +
		"odlC910OcCnABkWLejAFl7Q1bzkG+FQoXwkGEhzZl8PEJ94RV0eXXpQ9KU2ysDUIO4="),
}

func TestStockPasswordVector(t *testing.T) {
	require.True(t, vectorPassword.Verify(NewSecret("hello")))
	require.False(t, vectorPassword.Verify(NewSecret("Hello")))
	require.False(t, vectorPassword.Verify(Secret{}))
}

func TestStockPasswordHash(t *testing.T) {
	random := bytes.Repeat([]byte{7}, stockPasswordSize)
	p, err := HashStockPassword(bytes.NewReader(random), NewSecret("pässword"))
	require.NoError(t, err)
	require.Len(t, p.Salt, 172)
	require.Len(t, p.Hash.Reveal(), 172)
	require.True(t, p.Verify(NewSecret("pässword")))
	q, err := HashStockPassword(nil, NewSecret("pässword"))
	require.NoError(t, err)
	require.NotEqual(t, p.Salt, q.Salt)
	require.False(t, p.Hash.Equal(q.Hash))

	for _, bad := range []string{"", strings.Repeat("x", maxStockPassword+1)} {
		_, err = HashStockPassword(nil, NewSecret(bad))
		require.Error(t, err)
	}
	_, err = HashStockPassword(bytes.NewReader(random[1:]), NewSecret("x"))
	require.Error(t, err)
}

// TestStockPasswordUnusable: what is no stored password fits no password.
func TestStockPasswordUnusable(t *testing.T) {
	hash := vectorPassword.Hash.Reveal()
	for name, p := range map[string]StockPassword{
		"nothing":    {},
		"no salt":    {Hash: vectorPassword.Hash},
		"no hash":    {Salt: vectorPassword.Salt},
		"short hash": {Salt: vectorPassword.Salt, Hash: NewSecret(hash[:64])},
		"no base64":  {Salt: vectorPassword.Salt, Hash: NewSecret("?" + hash[1:])},
		"long salt":  {Salt: strings.Repeat("c2FsdA==", 200), Hash: vectorPassword.Hash},
	} {
		require.False(t, p.Verify(NewSecret("hello")), name)
	}
	require.False(t, vectorPassword.Verify(NewSecret(strings.Repeat("x", maxStockPassword+1))))
	// The stand-in for an unusable hash is no password either.
	require.False(t, StockPassword{Salt: "none", Hash: NewSecret(strings.Repeat("A", 171) + "=")}.Verify(Secret{}))
}
