package chaos

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// dieWithParent has the kernel kill a process when the harness dies without cleaning up.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// residentOf returns the most memory that a process has held so far, in MiB; 0 if it is gone.
func residentOf(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kib float64
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	if _, err := fmt.Sscan(line, &kib); err != nil {
		return 0
	}
	return kib / 1024
}
