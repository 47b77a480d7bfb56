// The first process of a PID namespace, which has to bury the orphans of it.
// Alone it waits for ever: what keeps a pod's namespaces open. With arguments it runs that program and ends with it;
// where the namespace is gone with its first process, this ends all others too.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

func main() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	children := make(chan os.Signal, 1)
	signal.Notify(children, syscall.SIGCHLD)
	main := 0
	if len(os.Args) > 1 {
		command := exec.Command(os.Args[1], os.Args[2:]...)
		command.Stdin, command.Stdout, command.Stderr = os.Stdin, os.Stdout, os.Stderr
		if err := command.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(127)
		}
		main = command.Process.Pid
	}
	for {
		select {
		case signal := <-stop:
			if main == 0 {
				return
			}
			_ = syscall.Kill(main, signal.(syscall.Signal))
		case <-children:
			var status syscall.WaitStatus
			for {
				pid, err := syscall.Wait4(-1, &status, syscall.WNOHANG, nil)
				if err != nil || pid <= 0 {
					break
				}
				if pid == main {
					os.Exit(status.ExitStatus())
				}
			}
		}
	}
}
