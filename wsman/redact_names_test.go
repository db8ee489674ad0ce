package wsman

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// What is a Secret in a class is redacted in messages too.
func TestSecretsOfClassesAreRedacted(t *testing.T) {
	files, err := filepath.Glob("*/*_gen.go")
	require.NoError(t, err)
	field := regexp.MustCompile("Secret\\s+`wsman:\"(\\w+)")
	found := 0
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range field.FindAllSubmatch(source, -1) {
			require.True(t, IsSecretName(string(m[1])), "%s: %s", file, m[1])
			found++
		}
	}
	require.Greater(t, found, 20)
}
