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
