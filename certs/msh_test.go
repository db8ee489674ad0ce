package certs_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/certs"
	"github.com/meshcentral-go/sdk/nodeid"
)

// What the reference server hands out for the recorded group and server, without the line of translations.
const (
	recordedMeshHex   = "456B3CD97A4C92D35D49E3044830ED6E58BD5FBA3A4735C70935A04472890CC4DA399A3D50344AE29C458BF6CA9C45C4"
	recordedServerHex = "69634754A2334BAAC4BABBCE4D063CF1329125B5097391228917BFA48A79D5E4008CCE5617F58D440A0C3A98F5BB8F93"
	recordedMSH       = "\r\nMeshName=g1\r\nMeshType=2\r\nMeshID=0x" + recordedMeshHex + "\r\nServerID=" + recordedServerHex +
		"\r\nMeshServer=wss://127.0.0.1:4430/agent.ashx\r\n"
)

func parseMSH(t testing.TB, text string) *certs.MSH {
	t.Helper()
	m, err := certs.ParseMSH([]byte(text))
	require.NoError(t, err)
	return m
}

func mshText(m *certs.MSH) string { return string(m.AppendTo(nil)) }

func recordedMSHConfig(t testing.TB) certs.MSHConfig {
	t.Helper()
	group, err := nodeid.ParseMeshID(recordedMeshHex)
	require.NoError(t, err)
	server, err := nodeid.ParseServerID(recordedServerHex)
	require.NoError(t, err)
	return certs.MSHConfig{
		MeshName: "g1", MeshID: group,
		Servers: []certs.MSHServer{{URL: "wss://127.0.0.1:4430/agent.ashx", ID: server}},
	}
}

func TestParseMSH(t *testing.T) {
	m := parseMSH(t, recordedMSH+"translation={\""+strings.Repeat("x", 34000)+"\"}\r\n")
	require.NoError(t, m.Validate())
	require.Equal(t, "g1", m.MeshName())
	kind, err := m.MeshType()
	require.NoError(t, err)
	require.Equal(t, 2, kind)
	cfg := recordedMSHConfig(t)
	group, err := m.MeshID()
	require.NoError(t, err)
	require.Equal(t, cfg.MeshID, group)
	servers, err := m.Servers()
	require.NoError(t, err)
	require.Equal(t, cfg.Servers, servers)
	require.False(t, servers[0].Local())
	raw, err := m.Bytes("MeshID")
	require.NoError(t, err)
	require.Equal(t, cfg.MeshID[:], raw)
	raw, err = m.Bytes("MeshName")
	require.NoError(t, err)
	require.Equal(t, "g1", string(raw))
	translation, ok := m.Get("translation")
	require.True(t, ok)
	require.Len(t, translation, 34004)
}

// TestMSHLines has what agents make of every kind of line.
func TestMSHLines(t *testing.T) {
	m := parseMSH(t, "# comment=1\n  # another=2\nno equals sign\n=no key\n  a = b c \t\r\nempty=\nd=first\nd=second\n"+
		"gone=1\ngone=\nurl=x?k=v==\nbinary=0xAbCd\nnotbinary=0x\nbad=0xzz\nlast=9")
	for key, want := range map[string]string{
		"a ": "b c", "d": "second", "url": "x?k=v==", "binary": "0xAbCd", "notbinary": "0x", "last": "9",
	} {
		got, ok := m.Get(key)
		require.True(t, ok, key)
		require.Equal(t, want, got, key)
	}
	for _, key := range []string{"", "# comment", "# another", "empty", "gone", "no equals sign", "D", "nothing", "a"} {
		_, ok := m.Get(key)
		require.False(t, ok, key)
		_, err := m.Bytes(key)
		require.ErrorIs(t, err, certs.ErrMSH)
	}
	raw, err := m.Bytes("binary")
	require.NoError(t, err)
	require.Equal(t, []byte{0xab, 0xcd}, raw)
	raw, err = m.Bytes("notbinary")
	require.NoError(t, err)
	require.Equal(t, "0x", string(raw))
	_, err = m.Bytes("bad")
	require.ErrorIs(t, err, certs.ErrMSH)

	var keys []string
	for key := range m.All() {
		keys = append(keys, key)
	}
	require.Equal(t, []string{"a ", "empty", "d", "d", "gone", "gone", "url", "binary", "notbinary", "bad", "last"}, keys)
	for range m.All() {
		break
	}
}

// TestMSHRoundTrip: what is not changed stays as it is.
func TestMSHRoundTrip(t *testing.T) {
	for _, text := range []string{
		"", "\n", "\r\n\r\n", recordedMSH, "# c\r\n a = b \nUnknown=1\r\n\r\nx", "\x00\xff=\xfe", "a=1\r\nb=2\n", "\ufeffMeshName=x",
	} {
		require.Equal(t, text, mshText(parseMSH(t, text)))
	}
	const before, after = "# c\r\nUnknown = 1 \r\n", "\r\n\r\ntail=2\n# end"
	m := parseMSH(t, before+"MeshName=  old  "+after)
	require.NoError(t, m.Set("MeshName", " new "))
	require.Equal(t, before+"MeshName=  new  "+after, mshText(m))
	require.NoError(t, m.Set("WebProxy", "http://p:1"))
	require.Equal(t, before+"MeshName=  new  "+after+"\r\nWebProxy=http://p:1\r\n", mshText(m))
	m.Delete("MeshName")
	require.Equal(t, before+"\r\ntail=2\n# end\r\nWebProxy=http://p:1\r\n", mshText(m))
	m.Delete("nothing")
	require.Equal(t, before+"\r\ntail=2\n# end\r\nWebProxy=http://p:1\r\n", mshText(m))

	b := []byte(recordedMSH)
	m, err := certs.ParseMSH(b)
	require.NoError(t, err)
	clear(b)
	require.Equal(t, recordedMSH, mshText(m), "the caller keeps its bytes")
}

func TestMSHSetLineEnds(t *testing.T) {
	for before, want := range map[string]string{
		"":             "k=v\r\n",
		"a=1\n":        "a=1\nk=v\n",
		"a=1":          "a=1\r\nk=v\r\n",
		"a=1\r\n":      "a=1\r\nk=v\r\n",
		"\na=1":        "\na=1\nk=v\n",
		"k=1\nk=2\n":   "k=1\nk=v\n",
		"k=":           "k=v",
		"k=\r\nb=1":    "k=v\r\nb=1",
		"#k=1\r\n":     "#k=1\r\nk=v\r\n",
		"k=1\nk=\n#\n": "k=1\nk=v\n#\n",
	} {
		m := parseMSH(t, before)
		require.NoError(t, m.Set("k", "v"))
		require.Equal(t, want, mshText(m), "%q", before)
		got, ok := m.Get("k")
		require.True(t, ok)
		require.Equal(t, "v", got)
		m.Delete("k")
		_, ok = m.Get("k")
		require.False(t, ok)
	}
	m := parseMSH(t, "")
	require.NoError(t, m.Set("k", ""))
	require.Equal(t, "k=\r\n", mshText(m))
}

func TestMSHSetRefuses(t *testing.T) {
	m := parseMSH(t, recordedMSH)
	for _, test := range [][2]string{
		{"", "v"}, {"k=", "v"}, {"k\n", "v"}, {"#k", "v"}, {" k", "v"}, {"k ", "v"}, {"k\x00", "v"},
		{"k", "v\nMeshServer=wss://evil/"}, {"k", "v\r"}, {"k", "\x00"}, {"CoreModule", "x"},
		{"k", strings.Repeat("x", certs.MaxMSH)},
	} {
		require.ErrorIs(t, m.Set(test[0], test[1]), certs.ErrMSH, "%q", test)
	}
	require.Equal(t, recordedMSH, mshText(m))
	require.NotContains(t, m.Set("WebProxy", "secret\n").Error(), "secret")
}

func TestMSHTooLarge(t *testing.T) {
	_, err := certs.ParseMSH(bytes.Repeat([]byte("\n"), certs.MaxMSH+1))
	require.ErrorIs(t, err, certs.ErrMSH)
	m, err := certs.ParseMSH(bytes.Repeat([]byte("\n"), certs.MaxMSH))
	require.NoError(t, err)
	require.Equal(t, certs.MaxMSH, m.Len())
}

func TestMSHServers(t *testing.T) {
	id2 := strings.Repeat("ab", 48)
	text := func(urls, ids string) *certs.MSH {
		return parseMSH(t, "MeshID=0x"+recordedMeshHex+"\nServerID="+ids+"\nMeshServer="+urls+"\n")
	}
	servers, err := text("local, wss://b.example:443/d1/agent.ashx?key=secret", recordedServerHex+","+id2).Servers()
	require.NoError(t, err)
	require.Len(t, servers, 2)
	require.True(t, servers[0].Local())
	require.Equal(t, strings.ToLower(recordedServerHex), servers[0].ID.Hex())
	require.Equal(t, "wss://b.example:443/d1/agent.ashx?key=secret", servers[1].URL)
	require.Equal(t, id2, servers[1].ID.Hex())

	for name, m := range map[string]*certs.MSH{
		"no server":         text("", recordedServerHex),
		"no ID":             text("local", ""),
		"too few IDs":       text("local,local", recordedServerHex),
		"too many IDs":      text("local", recordedServerHex+","+id2),
		"empty entry":       text("local,", recordedServerHex+","+id2),
		"empty ID":          text("local,local", recordedServerHex+","),
		"short ID":          text("local", recordedServerHex[1:]),
		"no hex":            text("local", "x"+recordedServerHex[1:]),
		"0x":                text("local", "0x"+recordedServerHex),
		"SHA-256":           text("local", recordedServerHex[:64]),
		"another scheme":    text("https://a/agent.ashx", recordedServerHex),
		"no host":           text("wss:///agent.ashx", recordedServerHex),
		"opaque":            text("wss:a", recordedServerHex),
		"user":              text("wss://u:p@a/agent.ashx", recordedServerHex),
		"blank":             text("wss://a b/agent.ashx", recordedServerHex),
		"LOCAL":             text("LOCAL", recordedServerHex),
		"bad port":          text("wss://a:b/agent.ashx", recordedServerHex),
		"too many servers":  text(strings.Repeat("local,", 64)+"local", strings.Repeat(id2+",", 64)+id2),
		"bracket":           text("wss://[::1/agent.ashx", recordedServerHex),
		"control character": text("wss://a/\x01", recordedServerHex),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Servers()
			require.ErrorIs(t, err, certs.ErrMSH)
			require.ErrorIs(t, m.Validate(), certs.ErrMSH)
		})
	}
}

func TestMSHValidate(t *testing.T) {
	for name, change := range map[string][2]string{
		"no group":        {"MeshID", ""},
		"group as string": {"MeshID", recordedMeshHex},
		"group of 16":     {"MeshID", "0x" + recordedMeshHex[:32]},
		"group no hex":    {"MeshID", "0x" + recordedMeshHex[:95] + "g"},
		"no server":       {"MeshServer", ""},
		"type":            {"MeshType", "two"},
	} {
		t.Run(name, func(t *testing.T) {
			m := parseMSH(t, recordedMSH)
			require.NoError(t, m.Set(change[0], change[1]))
			require.ErrorIs(t, m.Validate(), certs.ErrMSH)
		})
	}
	m := parseMSH(t, recordedMSH)
	m.Delete("MeshType")
	require.NoError(t, m.Validate())
	_, err := m.MeshType()
	require.ErrorIs(t, err, certs.ErrMSH)
	require.ErrorIs(t, parseMSH(t, "<html>Unauthorized</html>").Validate(), certs.ErrMSH)
}

func TestMSHLegacyGroup(t *testing.T) {
	const id = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef"
	cfg := recordedMSHConfig(t)
	var err error
	cfg.MeshID, err = nodeid.ParseMeshID(id)
	require.NoError(t, err)
	m, err := certs.NewMSH(cfg)
	require.NoError(t, err)
	got, _ := m.Get("MeshID")
	require.Equal(t, "0x"+strings.ToUpper(id), got)
	group, err := m.MeshID()
	require.NoError(t, err)
	require.Equal(t, cfg.MeshID, group)
	// What the reference server writes for the same group.
	require.NoError(t, m.Set("MeshID", "0xD34D75DB6DF7E38E79EBAEFBF3CF7D69A6DB71C75D79E7DFD35DB7E39EBBF3D69B71D79FD35DB7E39EBBF3D69B71D79F"))
	group, err = m.MeshID()
	require.NoError(t, err)
	require.Equal(t, cfg.MeshID, group)
}

func TestNewMSH(t *testing.T) {
	m, err := certs.NewMSH(recordedMSHConfig(t))
	require.NoError(t, err)
	require.Equal(t, recordedMSH, mshText(m), "byte for byte what the reference server writes")

	cfg := recordedMSHConfig(t)
	cfg.MeshType, cfg.DiscoveryKey, cfg.Tag, cfg.InstallFlags, cfg.IgnoreProxyFile = 3, "key", "tag1", 2, true
	cfg.Servers = append(cfg.Servers, certs.MSHServer{URL: "local", ID: cfg.Servers[0].ID})
	cfg.More = []certs.MSHSetting{{Key: "skipmaccheck", Value: "1"}, {Key: "MeshName", Value: "over=ridden"}}
	m, err = certs.NewMSH(cfg)
	require.NoError(t, err)
	require.Equal(t, "\r\nMeshName=g1\r\nMeshType=3\r\nMeshID=0x"+recordedMeshHex+"\r\nServerID="+recordedServerHex+","+
		recordedServerHex+"\r\nMeshServer=wss://127.0.0.1:4430/agent.ashx,local\r\nDiscoveryKey=key\r\nTag=tag1\r\n"+
		"InstallFlags=2\r\nignoreProxyFile=1\r\nskipmaccheck=1\r\nMeshName=over=ridden\r\n", mshText(m))
	require.Equal(t, "over=ridden", m.MeshName())
	require.Equal(t, "key", m.DiscoveryKey())
}

func TestNewMSHCleansTheName(t *testing.T) {
	for name, want := range map[string]string{
		"a\r\nMeshServer=wss://evil/":  "a  MeshServer=wss://evil/",
		"a\u2028b\u0085c\x00":          "a b c",
		"0xCAFE":                       "0XCAFE",
		" \n0xCAFE":                    "0XCAFE",
		"0x":                           "0x",
		"\xff":                         "\ufffd",
		"Grüße #1 = ok":                "Grüße #1 = ok",
		"#x":                           "#x",
		strings.Repeat("ü", 300):       strings.Repeat("ü", 256),
		"a" + strings.Repeat("ü", 300): "a" + strings.Repeat("ü", 255),
	} {
		cfg := recordedMSHConfig(t)
		cfg.MeshName = name
		m, err := certs.NewMSH(cfg)
		require.NoError(t, err)
		require.Equal(t, want, m.MeshName(), "%q", name)
		raw, err := m.Bytes("MeshName")
		require.NoError(t, err)
		require.Equal(t, want, string(raw))
		n := 0
		for range m.All() {
			n++
		}
		require.Equal(t, 5, n, "no other line has come in")
	}
}

func TestNewMSHRefuses(t *testing.T) {
	for name, change := range map[string]func(*certs.MSHConfig){
		"no name":      func(c *certs.MSHConfig) { c.MeshName = " \n" },
		"no group":     func(c *certs.MSHConfig) { c.MeshID = nodeid.MeshID{} },
		"no server":    func(c *certs.MSHConfig) { c.Servers = nil },
		"no server ID": func(c *certs.MSHConfig) { c.Servers[0].ID = nodeid.ServerID{} },
		"bad URL":      func(c *certs.MSHConfig) { c.Servers[0].URL = "wss://a/,wss://b/" },
		"line in URL":  func(c *certs.MSHConfig) { c.Servers[0].URL = "wss://a/\nx=y" },
		"line in tag":  func(c *certs.MSHConfig) { c.Tag = "a\nb" },
		"line in key":  func(c *certs.MSHConfig) { c.DiscoveryKey = "a\rb" },
		"line in more": func(c *certs.MSHConfig) { c.More = []certs.MSHSetting{{Key: "a\n", Value: "b"}} },
		"too much":     func(c *certs.MSHConfig) { c.Tag = strings.Repeat("x", certs.MaxMSH) },
	} {
		t.Run(name, func(t *testing.T) {
			cfg := recordedMSHConfig(t)
			change(&cfg)
			_, err := certs.NewMSH(cfg)
			require.ErrorIs(t, err, certs.ErrMSH)
		})
	}
}

func TestMSHIsRedacted(t *testing.T) {
	cfg := recordedMSHConfig(t)
	cfg.DiscoveryKey = "S3CRET"
	cfg.Servers[0].URL += "?key=S3CRET"
	cfg.More = []certs.MSHSetting{{Key: "WebProxy", Value: "http://u:S3CRET@proxy:1"}}
	m, err := certs.NewMSH(cfg)
	require.NoError(t, err)
	secrets := []string{"S3CRET", "533343524554", "[83 51 67"}
	requireRedacted(t, m, secrets)
	requireRedacted(t, *m, secrets)
	requireRedacted(t, cfg, secrets)
	requireRedacted(t, &cfg, secrets)
	requireRedacted(t, cfg.Servers[0], secrets)
	requireRedacted(t, cfg.Servers, secrets)
	require.Equal(t, `certs.MSH{"g1" RWs82XpMktNdSeMESDDtbli9X7o6RzXHCTWgRHKJDMTaOZo9UDRK4pxFi$bKnEXE wss://127.0.0.1:4430/agent.ashx}`,
		m.String())
	require.Equal(t, `certs.MSH{""}`, certs.MSH{}.String())
}
