package kafkatest

import "syscall"

// ownGroup makes the broker the head of a process group, which can be signalled as a whole, and has
// the kernel kill it when the test's process dies without cleaning up.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
