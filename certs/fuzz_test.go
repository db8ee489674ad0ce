package certs_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
)

func FuzzParseMSH(f *testing.F) {
	f.Add([]byte(recordedMSH), "MeshName", "other")
	f.Add([]byte("# c\n a = b \r\nx=0xAb\n=\n"), "a", "")
	f.Add([]byte(""), "k", "v")
	f.Fuzz(func(t *testing.T, b []byte, key, value string) {
		m, err := certs.ParseMSH(b)
		if err != nil {
			require.ErrorIs(t, err, certs.ErrMSH)
			return
		}
		require.Equal(t, string(b), string(m.AppendTo(nil)))
		for k, v := range m.All() {
			require.NotEmpty(t, k)
			require.NotContains(t, k, "=")
			require.NotContains(t, v, "\n")
		}
		if err := m.Validate(); err == nil {
			servers, err := m.Servers()
			require.NoError(t, err)
			require.NotEmpty(t, servers)
			_, err = m.MeshID()
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, certs.ErrMSH)
		}
		_ = m.String()

		// A change is read back, and changes nothing else.
		others := otherSettings(m, key)
		if err := m.Set(key, value); err != nil {
			require.ErrorIs(t, err, certs.ErrMSH)
			require.Equal(t, string(b), string(m.AppendTo(nil)))
			return
		}
		got, ok := m.Get(key)
		want := strings.Trim(value, " \t")
		require.Equal(t, want != "", ok)
		require.Equal(t, want, got)
		require.Equal(t, others, otherSettings(m, key))
		m.Delete(key)
		_, ok = m.Get(key)
		require.False(t, ok)
		require.Equal(t, others, otherSettings(m, key))
	})
}

func otherSettings(m *certs.MSH, key string) [][2]string {
	var all [][2]string
	for k, v := range m.All() {
		if k != key {
			all = append(all, [2]string{k, v})
		}
	}
	return all
}

// FuzzMeshName: no name of a group brings another line into a file.
func FuzzMeshName(f *testing.F) {
	f.Add("g1")
	f.Add("a\r\nMeshServer=wss://evil/")
	f.Add("0x00")
	f.Fuzz(func(t *testing.T, name string) {
		cfg := recordedMSHConfig(t)
		cfg.MeshName = name
		m, err := certs.NewMSH(cfg)
		if err != nil {
			require.ErrorIs(t, err, certs.ErrMSH)
			return
		}
		want := strings.Replace(recordedMSH, "MeshName=g1", "MeshName="+m.MeshName(), 1)
		require.Equal(t, want, string(m.AppendTo(nil)))
		text, err := m.Bytes("MeshName")
		require.NoError(t, err)
		require.Equal(t, m.MeshName(), string(text), "not binary")
	})
}

func FuzzEmbeddedMSH(f *testing.F) {
	m := parseMSH(f, "a=1\n")
	for _, executable := range [][]byte{
		nil, []byte("executable"), windowsExecutable(0x10b, nil), windowsExecutable(0x20b, []byte("a signature")),
	} {
		f.Add(executable)
		f.Add(embed(f, executable, m))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before, err := readEmbedded(b)
		if err == nil {
			require.True(t, bytes.Contains(b, before.AppendTo(nil)))
		} else if !errors.Is(err, certs.ErrNoMSH) {
			require.ErrorIs(t, err, certs.ErrMSH)
		}
		var out bytes.Buffer
		if err := certs.WriteEmbeddedMSH(&out, bytes.NewReader(b), int64(len(b)), m); err != nil {
			require.ErrorIs(t, err, certs.ErrMSH)
			return
		}
		after, err := readEmbedded(out.Bytes())
		require.NoError(t, err)
		require.Equal(t, "a=1\n", string(after.AppendTo(nil)))
	})
}

func FuzzParseAgentIdentity(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\n\n-----END CERTIFICATE-----\n"))
	f.Add([]byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if id, err := certs.ParseAgentIdentity(b, nil); err == nil {
			require.NoError(t, id.Check())
		}
	})
}
