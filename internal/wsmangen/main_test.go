package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

// TestCurrent fails when what is committed is not what the tables say.
func TestCurrent(t *testing.T) {
	files, err := generate(os.DirFS("tables"))
	require.NoError(t, err)
	var want []string
	for name, text := range files {
		path := filepath.Join("..", "..", "wsman", filepath.FromSlash(name))
		want = append(want, path)
		have, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, string(text) == string(have), "%s is not current: run go generate ./internal/wsmangen", name)
	}
	have, err := filepath.Glob(filepath.Join("..", "..", "wsman", "*", "*"+generatedSuffix))
	require.NoError(t, err)
	slices.Sort(want)
	require.Equal(t, want, have, "a file that no table makes, or the other way round")
}

// TestRun writes files and removes those of tables that are gone.
func TestRun(t *testing.T) {
	tables, out := t.TempDir(), t.TempDir()
	write(t, filepath.Join(tables, "cim", "one.txt"), "class CIM_One\n\t| One.\n\tInstanceID string key | Name.\n")
	write(t, filepath.Join(out, "cim", "old_gen.go"), "package cim\n")
	write(t, filepath.Join(out, "cim", "kept.go"), "package cim\n")
	for _, f := range families {
		require.NoError(t, os.MkdirAll(filepath.Join(out, f.name), 0o755))
	}
	require.NoError(t, run(tables, out))
	have, err := filepath.Glob(filepath.Join(out, "cim", "*"))
	require.NoError(t, err)
	for i := range have {
		have[i] = filepath.Base(have[i])
	}
	require.Equal(t, []string{"kept.go", "new_gen.go", "one_gen.go"}, have)
	b, err := os.ReadFile(filepath.Join(out, "cim", "one_gen.go"))
	require.NoError(t, err)
	require.Contains(t, string(b), "\t// Name. Key.\n\tInstanceID string `wsman:\"InstanceID,omitempty\"`\n")
	require.Contains(t, string(b), "func (*One) Class() string { return \"CIM_One\" }\n")

	write(t, filepath.Join(tables, "cim", "bad.txt"), "what\n")
	require.ErrorContains(t, run(tables, out), "cim/bad.txt:1")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// Properties of groups come in, what the class has itself wins, and names are sorted unless the class is ordered.
func TestGroups(t *testing.T) {
	const table = `
group Base
	Zeta string | From Base.
	Alpha uint8 | From Base.
	method Reset returns=PTStatus | Resets.

group Middle
	like Base
	Beta bool | From Middle.

class CIM_Sorted
	| A class.
	like Middle
	Alpha uint32 opt | Its own.

class CIM_Ordered
	| A class.
	ordered
	like Middle
	Gamma string | Its own.
`
	all, err := load(fstest.MapFS{"cim/a.txt": {Data: []byte(table)}})
	require.NoError(t, err)
	names := func(c *class) (s []string) {
		for _, p := range c.props {
			s = append(s, p.name+":"+p.typ)
		}
		return s
	}
	require.Equal(t, []string{"Alpha:uint32", "Beta:bool", "Zeta:string"}, names(all[0].classes["CIM_Sorted"]))
	require.Equal(t, []string{"Gamma:string", "Beta:bool", "Zeta:string", "Alpha:uint8"}, names(all[0].classes["CIM_Ordered"]))
	require.Equal(t, []string{"Reset"}, all[0].classes["CIM_Sorted"].methodNames())
}

func TestTypes(t *testing.T) {
	const cim = `
enum State uint16
	| A state.
	0 Unknown
	2 On | it works

class CIM_Thing
	| A thing.
	InstanceID string key | Name.
`
	const amt = `
class AMT_User
	| A user.
	A cim.State | a
	B cim.State[] | b
	C cim.State ptr | c
	D ref | d
	E ref[] | e
	F datetime | f
	G interval opt | g
	H base64 | h
	I base64[] | i
	J secret | j
	K string[] | k
	L real32 unit=degrees_Celsius | l
	method Use since=7.0 | Uses it.
		in Template CIM_Thing | t
		in Templates CIM_Thing[] | ts
		out User ref | u
`
	files, err := generate(fstest.MapFS{"cim/a.txt": {Data: []byte(cim)}, "amt/a.txt": {Data: []byte(amt)}})
	require.NoError(t, err)
	text := strings.Join(strings.Fields(string(files["amt/a_gen.go"])), " ")
	for _, want := range []string{
		"A cim.State `wsman:\"A\"`", "B []cim.State `wsman:\"B\"`", "C *cim.State `wsman:\"C\"`", "D wsman.Ref `wsman:\"D\"`",
		"E []wsman.Ref `wsman:\"E\"`", "F time.Time `wsman:\"F\"`", "G time.Duration `wsman:\"G,omitempty\"`", "H []byte `wsman:\"H\"`",
		"I [][]byte `wsman:\"I\"`", "J wsman.Secret `wsman:\"J,omitempty\"`", "K []string `wsman:\"K\"`", "// l Unit: degrees Celsius. L float32 `wsman:\"L\"`",
		"Template *cim.Thing `wsman:\"Template\"`", "Templates []cim.Thing `wsman:\"Templates\"`",
		"// Since AMT 7.0. type UserUse struct", `wsman.NewRef("AMT_User", selectors...), "Use", in, nil)`,
	} {
		require.Contains(t, text, want)
	}
	require.Contains(t, string(files["cim/a_gen.go"]), "StateOn      State = 2 // it works\n")
	require.Contains(t, string(files["amt/new_gen.go"]), "case \"AMT_User.Use\":\n\t\treturn new(UserUse)\n")
}

// Words in texts that look like packages import nothing.
func TestImports(t *testing.T) {
	files, err := generate(fstest.MapFS{"cim/a.txt": {Data: []byte(`
enum State uint8
	| A state of the time. Mind the context.
	0 Unknown | at any time.

class CIM_Thing
	| A thing of its time. Mind the context.
	X string | Some time.
`)}})
	require.NoError(t, err)
	text := string(files["cim/a_gen.go"])
	require.Contains(t, text, "\t\"strconv\"\n")
	require.NotContains(t, text, "\"time\"")
	require.NotContains(t, text, "\"context\"")
}

func TestGoName(t *testing.T) {
	for name, want := range map[string]string{
		"InstanceID": "InstanceID", "OemID": "OEMID", "GetUuid": "GetUUID", "NetworkDnsSuffix": "NetworkDNSSuffix",
		"DHCPv6ConfigurationTimeout": "DHCPv6ConfigurationTimeout", "localProfileSynchronizationEnabled": "LocalProfileSynchronizationEnabled",
		"SharedStaticIp": "SharedStaticIP", "IpSyncEnabled": "IPSyncEnabled", "Identity": "Identity", "zoom": "Zoom", "CN": "CN",
		"IPv6Address": "IPv6Address", "Url": "URL", "HdrProtocolID8021": "HdrProtocolID8021", "UefiBootNumberOfParams": "UEFIBootNumberOfParams",
	} {
		require.Equal(t, want, goName(name))
	}
}

func TestLowerFirst(t *testing.T) {
	for text, want := range map[string]string{
		"A thing": "a thing", "The host": "the host", "RequestStateChange.": "RequestStateChange.", "TLS": "TLS", "WiFi radio": "WiFi radio",
		"802.1x": "802.1x", "AMT's clock": "AMT's clock", "": "",
	} {
		require.Equal(t, want, lowerFirst(text))
	}
}

// Mistakes are reported with their place.
func TestMistakes(t *testing.T) {
	const head = "class CIM_A\n\t| A.\n"
	for text, want := range map[string]string{
		"thing X\n":                                               `cim/a.txt:1: what is "thing"?`,
		"class AMT_A\n":                                           "want: class CIM_Name",
		"class CIM_A\n":                                           "says not what it is",
		"\t| too far in\n":                                        "too far in",
		"| alone\n":                                               "outside of everything",
		" class CIM_A\n":                                          "indent with tabs",
		head + "\tX string\n":                                     "a.txt:3: X says not what it is",
		head + "\tX string flag | x\n":                            `what is "flag"?`,
		head + "\tX thing | x\n":                                  "there is no type thing",
		head + "\tX amt.Thing | x\n":                              "there is no type amt.Thing",
		head + "\tX xyz.Thing | x\n":                              "there is no family xyz",
		head + "\tX CIM_B | x\n":                                  "there is no class CIM_B",
		head + "\tClass string | x\n":                             "Class is taken",
		head + "\tXId string | x\n\tXID string | x\n":             "XID is taken",
		head + "\tX-Y string | x\n":                               "want: Name type",
		head + "\tX string | x\n\t\tY string | y\n":               "only text below it",
		head + "\tlike Nothing\n":                                 "there is no group Nothing",
		head + "\tmethod M\n":                                     "says not what it does",
		head + "\tmethod M returns=X | m\n":                       "there is no returns X",
		head + "\tmethod M returns=xyz.X | m\n":                   "there is no family xyz",
		head + "\tmethod M | m\n\t\tby X ref | x\n":               "want in or out",
		head + "\tmethod M | m\n\t\tout ReturnValue uint32 | x\n": "ReturnValue is taken",
		head + head:                                               "a second class CIM_A",
		"class CIM_A as=lower\n\t| A.\n":                          "no name for a type",
		"class CIM_A way=out\n\t| A.\n":                           `what is "way=out"?`,
		"enum E int\n\t| E.\n\t0 A\n":                             "an enum of type int",
		"enum E uint8\n\t| E.\n":                                  "no values",
		"enum E uint8\n\t0 A\n":                                   "says not what it is",
		"enum E uint8\n\t| E.\n\t0 A\n\t0 B\n":                    "a second time",
		"enum E uint8\n\t| E.\n\t0 A\n\t1 A\n":                    "a second time",
		"enum E uint8\n\t| E.\n\tx A\n":                           "invalid syntax",
		"enum A uint8\n\t| A.\n\t0 B\n" + head:                    "is also at",
		"group G\n\tlike G\n" + head + "\tlike G\n":               "in circles",
		"group G\n\tX string | x\ngroup G\n":                      "a second group G",
		"returns R\n\t1 A\nreturns R\n\t1 A\n":                    "a second returns R",
		head + "\tmethod AOutput | m\nclass CIM_AA\n\t| B.\n\tmethod M | m\n\tmethod MOutput | m\n": "is also at",
	} {
		_, err := generate(fstest.MapFS{"cim/a.txt": {Data: []byte(text)}})
		require.ErrorContains(t, err, want, text)
	}
}
