package interop

import (
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/meshcentral-go/sdk/internal/leakcheck"
)

// orphanEnv makes the test binary start a peer, tell its id and wait to be killed.
const orphanEnv = "INTEROP_TEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanEnv) != "" {
		p, err := startProcess(exec.Command("sleep", "600"), nil, false)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.cmd.Process.Pid)
		<-p.done
		os.Exit(1)
	}
	leakcheck.Main(m)
}

// requireGone fails the test when something of a process group is left.
func requireGone(t *testing.T, group int) {
	t.Helper()
	members, err := groupMembers(group)
	if err != nil {
		t.Fatal(err)
	}
	if len(members) != 0 {
		t.Errorf("processes %v of group %d are left", members, group)
	}
}
