package mps

import (
	"testing"

	"github.com/meshcentral-go/sdk/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }
