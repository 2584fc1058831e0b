# The end that dials.
hear() { read -r heard && [ -n "$heard" ] || no 'the other end of the path did not come up'; }
hear && start sleep 120
hear
# Neighbours who missed what was told of the other end hear of it within half a minute (libnetwork's gossip).
dial='until exec 3<>"/dev/tcp/$0/4789"; do sleep 1; done 2>/dev/null
echo connected; head -c 1048576 /dev/zero >&3; [ "$(head -c 1048576 <&3 | wc -c)" = 1048576 ] && echo passed'
case $(docker exec "$n" timeout 40 bash -c "$dial" "$heard") in
  *passed*) ;;
  *connected*) no '@PAIR@ have a connection through an overlay network, but 1 MiB does not pass: large packets are lost' \
    'hint: the MTU of their network interfaces is larger than what passes between them: lower it there (ping -M do -s 1472 ADDRESS tells), or some of 4789/udp is dropped' ;;
  *) no '1 MiB does not pass through an overlay network between @PAIR@: no connection within 40 s' \
    'hint: security group or firewall: open 4789/udp both ways between the two (nodes need @RULES@); if it is open, look at the MTU of their network interfaces' ;;
esac
