//go:build unix && !linux

package chaos

import "syscall"

// dieWithParent cannot be had here: a harness that is killed leaves its processes.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
