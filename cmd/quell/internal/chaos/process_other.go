//go:build unix && !linux

package chaos

import "syscall"

// dieWithParent cannot be had here: a harness that is killed leaves its processes.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// residentOf cannot be had here: 0 stands for not known.
func residentOf(int) float64 { return 0 }
