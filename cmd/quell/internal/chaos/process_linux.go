package chaos

import "syscall"

// dieWithParent has the kernel kill a process when the harness dies without cleaning up.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
