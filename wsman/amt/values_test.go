package amt_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"iter"
	"log/slog"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/meshcentral-go/sdk/wsman"
)

// fields yields the names that the fields of a struct have in XML, and their types.
func fields(v any) iter.Seq2[string, reflect.Type] {
	return func(yield func(string, reflect.Type) bool) {
		t := reflect.TypeOf(v).Elem()
		for i := range t.NumField() {
			if tag, ok := t.Field(i).Tag.Lookup("wsman"); ok {
				name, _, _ := strings.Cut(tag, ",")
				if !yield(name, t.Field(i).Type) {
					return
				}
			}
		}
	}
}

// enumerations are the named types of numbers of all messages.
func enumerations() map[reflect.Type]bool {
	found := map[reflect.Type]bool{}
	for _, m := range messages() {
		for _, typ := range fields(m.value) {
			for typ.Kind() == reflect.Slice || typ.Kind() == reflect.Pointer {
				typ = typ.Elem()
			}
			if typ.PkgPath() != "" && typ.Kind() >= reflect.Uint8 && typ.Kind() <= reflect.Uint32 {
				found[typ] = true
			}
		}
	}
	return found
}

func TestEnumerations(t *testing.T) {
	types := enumerations()
	require.Greater(t, len(types), 60)
	for typ := range types {
		t.Run(typ.String(), func(t *testing.T) {
			seen, named := map[string]uint64{}, 0
			values := []uint64{254, 255}
			for n := range uint64(230) {
				values = append(values, n)
			}
			if typ.Kind() != reflect.Uint8 {
				values = append(values, 300, 4096, 32767, 32768, 32769, 32770, 32771, 32772, 65535)
			}
			if typ.Kind() == reflect.Uint32 {
				values = append(values, 1<<31, 1<<32-1)
			}
			for _, n := range values {
				v := reflect.New(typ).Elem()
				v.SetUint(n)
				text := v.Interface().(fmt.Stringer).String()
				other, twice := seen[text]
				require.False(t, twice, "%d and %d are %q", n, other, text)
				seen[text] = n
				if text != fmt.Sprintf("%s(%d)", typ.Name(), n) {
					require.Regexp(t, `^[A-Z][A-Za-z0-9]*$`, text)
					named++
				}
			}
			require.Positive(t, named)
		})
	}
}

// whatIsSecret are names of fields that no log shall show.
var whatIsSecret = regexp.MustCompile(`(?i)password|passphrase|secret|psk|^pps$|keyblob|signingkey|masterkey|^keys$|otp$|accesscredential|bootparameters`)

func TestSecretsAreHidden(t *testing.T) {
	found := 0
	for _, m := range messages() {
		for name, typ := range fields(m.value) {
			for typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8 {
				typ = typ.Elem()
			}
			if typ == reflect.TypeFor[wsman.Secret]() {
				found++
			} else if whatIsSecret.MatchString(name) {
				text := typ.Kind() == reflect.String || typ.Kind() == reflect.Slice
				require.False(t, text, "%s.%s is a %v", m.name(), name, typ)
			}
		}
		n := 0
		fill(reflect.ValueOf(m.value).Elem(), &n)
		b, err := json.Marshal(m.value)
		require.NoError(t, err)
		var log strings.Builder
		slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", m.value)
		for _, text := range []string{fmt.Sprintf("%v %+v %#v %s %x", m.value, m.value, m.value, m.value, m.value), string(b), log.String()} {
			require.NotContains(t, text, "cret x", m.name())
			require.NotContains(t, text, "s<e&", m.name())
		}
	}
	require.Greater(t, found, 25)
}

// Every exported thing has a text that starts with its name, and every field has one.
func TestDocumented(t *testing.T) {
	for _, folder := range []string{".", "../cim", "../ips"} {
		names, err := filepath.Glob(filepath.Join(folder, "*.go"))
		require.NoError(t, err)
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			require.NoError(t, err)
			for _, d := range file.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Name.IsExported() {
						require.True(t, strings.HasPrefix(d.Doc.Text(), d.Name.Name), "%s: %s", name, d.Name)
					}
				case *ast.GenDecl:
					for _, s := range d.Specs {
						if s, ok := s.(*ast.TypeSpec); ok {
							documented(t, name, d, s)
						}
					}
				}
			}
		}
	}
}

func documented(t *testing.T, name string, d *ast.GenDecl, s *ast.TypeSpec) {
	t.Helper()
	require.True(t, strings.HasPrefix(d.Doc.Text(), s.Name.Name+" "), "%s: %s", name, s.Name)
	st, ok := s.Type.(*ast.StructType)
	if !ok || !strings.HasSuffix(name, "_gen.go") {
		return
	}
	for _, f := range st.Fields.List {
		require.NotEmpty(t, f.Doc.Text(), "%s: %s.%s", name, s.Name, f.Names[0])
	}
}
