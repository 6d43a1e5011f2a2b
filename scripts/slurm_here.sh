#!/usr/bin/env bash
# A throw-away Slurm on this machine, with accounting, for the tests that are marked slurm:
#   sudo bash scripts/slurm_here.sh up      installs Debian's packages where they are missing, and starts the daemons
#   sudo bash scripts/slurm_here.sh down    ends them all; what was installed stays
# Both can be repeated. Neither systemd nor cgroups are needed. Partitions: debug; and low, which gives way to high.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "slurm_here.sh: it takes root, as Slurm's daemons do" >&2; exit 2; }
ours="# made by scripts/slurm_here.sh"
name=$(hostname -s)
cpus=$(nproc)
memory=$(($(awk '/MemTotal/ {print $2}' /proc/meminfo) / 1024 * 9 / 10))
pids=(/run/slurmd.pid /run/slurmctld.pid /run/slurmdbd.pid /run/slurm_here-mariadb.pid /run/munge/munged.pid)

alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

until_it() {  # until_it SECONDS COMMAND...: waits until it succeeds
  local end=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$end" ] || { echo "slurm_here.sh: waited in vain for: $*" >&2; return 1; }
    sleep 0.2
  done
}

written() {  # written FILE: from stdin, unless somebody else's Slurm is configured there
  if [ -e "$1" ] && ! grep -qF "$ours" "$1"; then
    echo "slurm_here.sh: $1 is another Slurm's; it is left alone" >&2
    exit 2
  fi
  { echo "$ours"; cat; } >"$1"
}

installed() {
  command -v slurmctld slurmd slurmdbd munged mariadbd >/dev/null && return
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurm-wlm munge slurmdbd mariadb-server >/dev/null
}

configured() {
  grep -qw "$name" /etc/hosts || echo "127.0.0.1 $name" >>/etc/hosts
  mkdir -p /etc/slurm /var/spool/slurmctld /var/spool/slurmd /var/log/slurm /run/munge /run/mysqld
  chown munge: /run/munge
  chown mysql: /run/mysqld
  written /etc/slurm/cgroup.conf <<E
CgroupPlugin=cgroup/v1
CgroupAutomount=no
ConstrainCores=no
ConstrainRAMSpace=no
E
  written /etc/slurm/slurmdbd.conf <<E
AuthType=auth/munge
DbdHost=$name
DbdAddr=127.0.0.1
SlurmUser=root
PidFile=/run/slurmdbd.pid
LogFile=/var/log/slurm/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_here
E
  chmod 600 /etc/slurm/slurmdbd.conf
  # cred_expire: else a job that is put back into the queue waits there for two minutes.
  written /etc/slurm/slurm.conf <<E
ClusterName=here
SlurmctldHost=$name(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=5
CryptoType=crypto/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=2
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
ReturnToService=2
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmdSpoolDir=/var/spool/slurmd
StateSaveLocation=/var/spool/slurmctld
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=2,sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
KillWait=10
NodeName=$name NodeAddr=127.0.0.1 CPUs=$cpus RealMemory=$memory State=UNKNOWN
PartitionName=debug Nodes=$name Default=YES MaxTime=INFINITE DefMemPerCPU=$((memory / cpus)) State=UP
PartitionName=low Nodes=$name PriorityTier=1 GraceTime=20 DefMemPerCPU=$((memory / cpus)) State=UP
PartitionName=high Nodes=$name PriorityTier=10 DefMemPerCPU=$((memory / cpus)) State=UP
E
}

up() {
  installed
  configured
  alive /run/munge/munged.pid || runuser -u munge -- munged
  until_it 10 munge -n
  if ! alive /run/slurm_here-mariadb.pid; then
    [ -d /var/lib/mysql/mysql ] || mariadb-install-db --user=mysql >/dev/null
    mariadbd --user=mysql --skip-networking --innodb-buffer-pool-size=64M --pid-file=/run/mysqld/slurm_here.pid \
      >/var/log/slurm/mariadb.log 2>&1 </dev/null &
    echo $! >/run/slurm_here-mariadb.pid
    until_it 30 mariadb -e "select 1"
  fi
  mariadb -e "create database if not exists slurm_here;
    create user if not exists 'slurm'@'localhost' identified by 'slurm';
    grant all on slurm_here.* to 'slurm'@'localhost'"
  alive /run/slurmdbd.pid || slurmdbd
  until_it 30 sacctmgr -n list cluster
  sacctmgr -i add cluster here >/dev/null 2>&1 || true  # it may be there
  alive /run/slurmctld.pid || slurmctld
  until_it 30 scontrol ping
  alive /run/slurmd.pid || slurmd
  until_it 30 sh -c "sinfo -h -p debug -o %T | grep -qE 'idle|mixed|allocated'"
  sinfo
}

down() {
  local file pid
  command -v scancel >/dev/null && alive /run/slurmctld.pid && scancel --user=root 2>/dev/null || true
  for file in "${pids[@]}"; do
    alive "$file" || continue
    pid=$(cat "$file")
    kill "$pid"
    until_it 40 sh -c "! kill -0 $pid" || kill -9 "$pid"
    rm -f "$file"
  done
}

case ${1:-} in
  up) up ;;
  down) down ;;
  *) echo "usage: slurm_here.sh up|down" >&2; exit 2 ;;
esac
