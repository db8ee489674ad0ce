package agentproto

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto/sha512"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestCoreBlob(t *testing.T) {
	blob := AppendCore([]byte("x"), []byte("print(1)"))
	require.Equal(t, "x\x00\x00\x00\x00print(1)", string(blob))
	text, err := CoreText(blob[1:])
	require.NoError(t, err)
	require.Equal(t, "print(1)", string(text))
	require.Equal(t, sha512.Sum384([]byte("\x00\x00\x00\x00print(1)")), [48]byte(HashCore(blob[1:])))
	for _, bad := range []string{"", "\x00\x00\x00", "print(1)", "\x00\x00\x00\x01x"} {
		_, err := CoreText([]byte(bad))
		require.Error(t, err, "%q", bad)
	}
}

func TestDeflatedCore(t *testing.T) {
	c := NewCore("", AppendCore(nil, bytes.Repeat([]byte("try { addModule(); } "), 10000)))
	data := c.Deflated()
	require.Less(t, len(data), len(c.Blob)/50)
	plain, err := io.ReadAll(flate.NewReader(bytes.NewReader(data))) // RFC 1951, no header
	require.NoError(t, err)
	require.Equal(t, c.Blob, plain)
	require.Same(t, &data[0], &c.Deflated()[0], "computed again")

	got, err := InflateCore(data, 0)
	require.NoError(t, err)
	require.Equal(t, c.Blob, got)
	got, err = InflateCore(data, len(c.Blob))
	require.NoError(t, err)
	require.Equal(t, c.Blob, got)
	_, err = InflateCore(data, len(c.Blob)-1)
	require.ErrorContains(t, err, "more than")

	for level := zlib.HuffmanOnly; level <= zlib.BestCompression; level++ {
		var z bytes.Buffer
		w, err := zlib.NewWriterLevel(&z, level)
		require.NoError(t, err)
		_, err = w.Write(c.Blob)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		got, err = InflateCore(z.Bytes(), 0)
		require.NoError(t, err)
		require.Equal(t, c.Blob, got)
	}
	for i := range min(len(data), 200) {
		_, err := InflateCore(data[:i], 0)
		require.Error(t, err, i)
	}
}

// agentsFolder is a small folder with one file of every kind that is treated in its own way.
func agentsFolder() fstest.MapFS {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	return fstest.MapFS{
		"meshcore.js":                                      file("core 'é' \\\r\n"),
		"meshcore.min.js":                                  file("mincore"),
		"recoverycore.js":                                  file("recovery"),
		"meshcore_diagnostic.js":                           file("diagnostic"),
		"tinycore.js":                                      file("tiny"),
		"modules_meshcore/amt-mei.js":                      file("amt"),
		"modules_meshcore/coretranslations.json":           file("{\"a\":\"é'\\n\"}\r\n"),
		"modules_meshcore/linux-dhcp.js":                   file("dhcp"),
		"modules_meshcore/README.txt":                      file("not a module"),
		"modules_meshcore/smbios.js":                       file("smb"),
		"modules_meshcore/sysinfo.js":                      file("s\t'\"\\\b\f\r\n\x00é\x7f"),
		"modules_meshcore/win-terminal.js":                 file("term"),
		"modules_meshcore/win-info.js":                     file("info"),
		"modules_meshcore_min/sysinfo.min.js":              file("min"),
		"modules_meshcore_min/coretranslations.json":       file("{}"),
		"modules_meshcore_min/win-virtual-terminal.min.js": file("vterm"),
	}
}

func TestCompose(t *testing.T) {
	module := func(name, text string) string {
		return `try { addModule("` + name + `", "` + text + `"); addedModules.push("` + name + `"); } catch (ex) { }` + "\r\n"
	}
	first := "\x00\x00\x00\x00var addedModules = [];\r\n"
	translations := "var coretranslations = JSON.parse('{\\\"a\\\":\\\"é\\'\\\\n\\\"}\\r\\n');\r\n"
	sysinfo := module("sysinfo", `s\t\'\"\\\b\f\r\n`+"\x7f")
	main := "core 'é' \\\r\n"
	for _, tc := range []struct {
		name     CoreName
		minified bool
		want     string
	}{
		{CoreWindowsAMT, false, first + module("amt-mei", "amt") + translations + module("smbios", "smb") + sysinfo + module("win-info", "info") + module("win-terminal", "term") + main},
		{CoreLinuxAMT, false, first + module("amt-mei", "amt") + translations + module("linux-dhcp", "dhcp") + module("smbios", "smb") + sysinfo + main},
		{CoreLinuxNoAMT, false, first + translations + module("linux-dhcp", "dhcp") + sysinfo + main},
		{CoreWindowsRecovery, false, first + module("win-terminal", "term") + "recovery"},
		{CoreLinuxRecovery, false, first + "recovery"},
		{CoreWindowsAgentRecovery, false, first + module("win-terminal", "term") + "diagnostic"},
		{CoreLinuxAgentRecovery, false, first + "diagnostic"},
		{CoreWindowsTiny, false, first + "tiny"},
		{CoreLinuxTiny, false, first + "tiny"},
		{CoreLinuxNoAMT, true, first + "var coretranslations = JSON.parse('{}');\r\n" + module("sysinfo", "min") + "mincore"},
		{CoreWindowsAgentRecovery, true, first + module("win-virtual-terminal", "vterm") + "diagnostic"},
		{CoreLinuxTiny, true, first + "tiny"},
	} {
		got, err := CoreSource{Agents: agentsFolder(), Minified: tc.minified}.Compose(tc.name)
		require.NoError(t, err, tc.name)
		require.Equal(t, tc.want, string(got), "%s, minified %t", tc.name, tc.minified)
	}
}

func TestComposeFromTheDataFolder(t *testing.T) {
	data := fstest.MapFS{"meshcore.js": {Data: []byte("mine \xff")}}
	got, err := CoreSource{Agents: agentsFolder(), Data: data, Minified: true}.Compose(CoreLinuxAMT)
	require.NoError(t, err)
	require.Equal(t, "\x00\x00\x00\x00var addedModules = [];\r\nmine \ufffd", string(got))
	got, err = CoreSource{Agents: agentsFolder(), Data: data}.Compose(CoreLinuxTiny)
	require.NoError(t, err)
	require.Equal(t, "\x00\x00\x00\x00var addedModules = [];\r\ntiny", string(got))
	delete(data, "meshcore.js")
	got, err = CoreSource{Agents: agentsFolder(), Data: data, Minified: true}.Compose(CoreLinuxAMT)
	require.NoError(t, err)
	require.True(t, bytes.HasSuffix(got, []byte("mincore")))
}

func TestComposeFails(t *testing.T) {
	_, err := CoreSource{}.Compose(CoreLinuxAMT)
	require.Error(t, err)
	for _, name := range []CoreName{"", CoreNodeJS, "windows"} {
		_, err := CoreSource{Agents: agentsFolder()}.Compose(name)
		require.ErrorIs(t, err, ErrNoCore)
	}
	folder := agentsFolder()
	folder[`modules_meshcore/a"b.js`] = &fstest.MapFile{}
	_, err = CoreSource{Agents: folder}.Compose(CoreLinuxAMT)
	require.ErrorContains(t, err, "cannot be named")
	folder = agentsFolder()
	delete(folder, "tinycore.js")
	_, err = CoreSource{Agents: folder}.Compose(CoreLinuxTiny)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestCoreSet(t *testing.T) {
	folder := agentsFolder()
	set := NewCoreSet(CoreSource{Agents: folder})
	for id, want := range map[AgentID]CoreName{AgentWindowsService64: CoreWindowsAMT, AgentLinux64: CoreLinuxAMT, AgentLinuxARM64: CoreLinuxNoAMT} {
		c, err := set.Core(id, CoreDefault)
		require.NoError(t, err)
		require.Equal(t, want, c.Name)
		require.Equal(t, HashCore(c.Blob), c.Hash)
	}
	c, err := set.Core(AgentMacOSARM64, CoreAgentRecovery)
	require.NoError(t, err)
	require.Equal(t, CoreLinuxAgentRecovery, c.Name)
	for _, id := range []AgentID{AgentNodeJS, 31, 10006, 11000, 1 << 31} {
		for kind := CoreDefault; kind <= CoreAgentRecovery+1; kind++ {
			_, err := set.Core(id, kind)
			require.ErrorIs(t, err, ErrNoCore)
		}
	}
	_, err = set.Core(AgentLinux64, CoreAgentRecovery+1)
	require.ErrorIs(t, err, ErrNoCore)

	// Once made, a core stays; a failure does not.
	tiny := folder["tinycore.js"]
	delete(folder, "tinycore.js")
	_, err = set.Core(AgentLinux64, CoreTiny)
	require.ErrorIs(t, err, os.ErrNotExist)
	folder["tinycore.js"] = tiny
	first, err := set.Core(AgentLinux64, CoreTiny)
	require.NoError(t, err)
	delete(folder, "tinycore.js")
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			again, err := set.Core(AgentLinux64, CoreTiny)
			if err != nil || again != first || len(again.Deflated()) == 0 {
				t.Errorf("%p instead of %p, %v", again, first, err)
			}
		})
	}
	wg.Wait()
}

func TestFixedCoreSet(t *testing.T) {
	for _, in := range []string{"print(1)", "\x00\x00\x00\x00print(1)"} {
		set, err := NewFixedCoreSet([]byte(in))
		require.NoError(t, err)
		c, err := set.Core(AgentLinuxARM, CoreDefault)
		require.NoError(t, err)
		require.Equal(t, "\x00\x00\x00\x00print(1)", string(c.Blob))
		_, err = set.Core(AgentLinuxARM, CoreTiny)
		require.ErrorIs(t, err, ErrNoCore)
		_, err = set.Core(AgentNodeJS, CoreDefault)
		require.ErrorIs(t, err, ErrNoCore)
	}
	for _, in := range []string{"", "\x00\x00\x00\x00"} {
		_, err := NewFixedCoreSet([]byte(in))
		require.Error(t, err, "%q", in)
	}
}

func TestLoadCoreSet(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "core.js")
	require.NoError(t, os.WriteFile(file, []byte("print(1)"), 0o600))
	set, err := LoadCoreSet(file)
	require.NoError(t, err)
	c, err := set.Core(AgentLinux64, CoreDefault)
	require.NoError(t, err)
	require.Equal(t, "\x00\x00\x00\x00print(1)", string(c.Blob))

	_, err = LoadCoreSet(dir)
	require.ErrorContains(t, err, "is no agents folder")
	_, err = LoadCoreSet(filepath.Join(dir, "missing"))
	require.True(t, errors.Is(err, os.ErrNotExist))
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = LoadCoreSet(file)
	require.ErrorContains(t, err, "empty")

	require.NoError(t, os.CopyFS(filepath.Join(dir, "agents"), agentsFolder()))
	set, err = LoadCoreSet(filepath.Join(dir, "agents"))
	require.NoError(t, err)
	c, err = set.Core(AgentLinux64, CoreDefault)
	require.NoError(t, err)
	want, err := CoreSource{Agents: agentsFolder()}.Compose(CoreLinuxAMT)
	require.NoError(t, err)
	require.Equal(t, want, c.Blob)
}

// unescapeJS undoes what a JavaScript engine undoes in a string literal.
func unescapeJS(t *testing.T, b []byte) []byte {
	t.Helper()
	var out []byte
	for i := 0; i < len(b); i++ {
		c := b[i]
		if c == '\'' || c == '"' || c == '\n' || c == '\r' {
			t.Fatalf("%q ends the literal", b)
		}
		if c != '\\' {
			out = append(out, c)
			continue
		}
		i++
		if i == len(b) {
			t.Fatalf("%q ends in a backslash", b)
		}
		j := strings.IndexByte(`'"\bfnrt`, b[i])
		if j < 0 {
			t.Fatalf("%q has the escape %q", b, b[i])
		}
		out = append(out, "'\"\\\b\f\n\r\t"[j])
	}
	return out
}

func FuzzComposeEscape(f *testing.F) {
	f.Add([]byte("s\t'\"\\\b\f\r\n\x00é\x7f\xff"))
	f.Add([]byte(`\\"); evil(); ("`))
	f.Add([]byte("\u2028\ufeff😀"))
	f.Fuzz(func(t *testing.T, in []byte) {
		latin := appendEscapedLatin1([]byte("x"), in)[1:]
		kept := slices.DeleteFunc(bytes.Clone(in), func(c byte) bool {
			return (c < 32 || c > 127) && !strings.ContainsRune("\b\f\n\r\t", rune(c))
		})
		if got := unescapeJS(t, latin); !bytes.Equal(got, kept) {
			t.Fatalf("%q became %q", in, got)
		}
		for _, c := range latin {
			if c < 32 || c > 127 {
				t.Fatalf("%q is not plain ASCII", latin)
			}
		}
		text := unescapeJS(t, appendEscapedUTF8([]byte("x"), in)[1:])
		if want := string([]rune(string(in))); string(text) != want {
			t.Fatalf("%q became %q", in, text)
		}
	})
}

// FuzzInflateCore: no more comes out than is allowed, and a core that was deflated comes out as it was.
func FuzzInflateCore(f *testing.F) {
	blob := AppendCore(nil, []byte("var x = 1;"))
	f.Add(NewCore("", blob).Deflated(), uint16(100))
	f.Add(blob, uint16(len(blob)-1))
	f.Add([]byte("\x78\x9c\x03\x00\x00\x00\x00\x01"), uint16(1)) // zlib
	f.Add([]byte("\x08\x1d"), uint16(1))                         // the header of zlib alone
	f.Fuzz(func(t *testing.T, b []byte, limit uint16) {
		if got, err := InflateCore(b, int(limit)+1); err == nil && len(got) > int(limit)+1 {
			t.Fatalf("%d bytes, at most %d", len(got), int(limit)+1)
		}
		got, err := InflateCore(NewCore("", b).Deflated(), len(b))
		if err != nil || !bytes.Equal(got, b) {
			t.Fatalf("%x became %x, %v", b, got, err)
		}
		if len(b) > 1 {
			if _, err := InflateCore(NewCore("", b).Deflated(), len(b)-1); err == nil {
				t.Fatalf("%x is larger than allowed", b)
			}
		}
	})
}

func ExampleCoreSet() {
	set := NewCoreSet(CoreSource{Agents: fstest.MapFS{
		"meshcore.js":                 {Data: []byte("main();")},
		"modules_meshcore/sysinfo.js": {Data: []byte("'one'\n")},
	}})
	core, err := set.Core(AgentLinux64, CoreDefault)
	if err != nil {
		fmt.Println(err)
		return
	}
	text, err := CoreText(core.Blob)
	fmt.Printf("%s: %q %v\n", core.Name, text, err)
	// Output: linux-amt: "var addedModules = [];\r\ntry { addModule(\"sysinfo\", \"\\'one\\'\\n\"); addedModules.push(\"sysinfo\"); } catch (ex) { }\r\nmain();" <nil>
}
