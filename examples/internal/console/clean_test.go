package console

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"pc1":                              "pc1",
		"Zoë's 計算機 👩\u200d💻":               "Zoë's 計算機 👩\u200d💻",
		"a\x1b]0;title\x07b":               "a\uFFFD]0;title\uFFFDb",
		"a\x1b[2Jb":                        "a\uFFFD[2Jb",
		"a\u009b31mb":                      "a\uFFFD31mb",
		"a\x7fb\x00c":                      "a\uFFFDb\uFFFDc",
		"two\nlines\tand\rmore":            "two lines and more",
		"exe\u202egnp":                     "exe\uFFFDgnp",
		"a\u2028b":                         "a\uFFFDb",
		"bad\xffbyte":                      "bad\uFFFDbyte",
		strings.Repeat("\u2066x\u2069", 2): "\uFFFDx\uFFFD\uFFFDx\uFFFD",
	} {
		require.Equal(t, want, Clean(in), "%q", in)
	}
	require.Equal(t, "a\nb\tc\uFFFD\n", CleanLines("a\r\nb\tc\x1b\n"))
}

// JSON keeps what it says and shows none of it to a terminal.
func TestEscaped(t *testing.T) {
	in := "a\u009b\u202e\U000E0001\x7f é"
	b, err := json.Marshal(in)
	require.NoError(t, err)
	out := Escaped(string(b))
	require.NotContains(t, out, "\u009b")
	require.Equal(t, Clean(out), out)
	var back string
	require.NoError(t, json.Unmarshal([]byte(out), &back))
	require.Equal(t, in, back)
}

// Whatever a device says, a line for people is one line that a terminal may see.
func FuzzClean(f *testing.F) {
	f.Add("pc1")
	f.Add("\x1b[2J\u202e\xff\r\n")
	f.Fuzz(func(t *testing.T, s string) {
		out := Clean(s)
		for _, r := range out {
			if r != '\uFFFD' && !Harmless(r) {
				t.Fatalf("%q of %q", r, s)
			}
		}
		if Clean(out) != out {
			t.Fatalf("%q changes again", out)
		}
	})
}
