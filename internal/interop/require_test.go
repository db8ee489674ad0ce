package interop

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// fakeTest records how a test was ended.
type fakeTest struct {
	testing.TB
	said    string
	skipped bool
}

func (f *fakeTest) Helper() {}

func (f *fakeTest) Skipf(format string, args ...any) {
	f.said, f.skipped = fmt.Sprintf(format, args...), true
	runtime.Goexit()
}

func (f *fakeTest) Fatalf(format string, args ...any) {
	f.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func TestMissingPeer(t *testing.T) {
	if !processGroups {
		t.Skip("nothing can be run here")
	}
	t.Setenv("PATH", t.TempDir())
	for _, ci := range []bool{false, true} {
		t.Setenv("CI", fmt.Sprint(ci))
		if testing.Short() && !ci {
			continue
		}
		f := &fakeTest{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			Require(f, PeerMeshCentral)
		}()
		<-done
		if f.skipped == ci || !strings.Contains(f.said, "apt-get install nodejs") || strings.Contains(f.said, "\n") {
			t.Errorf("CI=%v: skipped %v, said %q", ci, f.skipped, f.said)
		}
	}
}
