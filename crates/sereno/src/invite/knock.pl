# perl knock.pl NAME.toml: knocks at a door whose ports change with the time.
use strict; use warnings; use IO::Socket::IP; use Digest::SHA 'hmac_sha256'; use MIME::Base64;
my %o = (step => 30, length => 4, range => '20000-60999', delay => 50);
while (<>) { $o{$1} = $2 if /^(\w+) = "?([^"]*)"?$/ }
my ($first, $last) = split /-/, $o{range};
my ($secret, @ports) = decode_base64($o{secret});
for (my $block = 0; @ports < $o{length}; $block++) {
    my $text = 'sereno knock 1' . pack('Q>N', int(time / $o{step}), $block);
    for my $n (unpack 'n*', hmac_sha256($text, $secret)) {
        my $port = $first + int($n * ($last - $first + 1) / 65536);
        push @ports, $port unless @ports == $o{length} || grep { $_ == $port } @ports;
    }
}
for my $port (@ports) {
    my $s = IO::Socket::IP->new(PeerHost => $o{host}, PeerPort => $port, Type => SOCK_STREAM, Blocking => 0);
    select undef, undef, undef, $o{delay} / 1000;
}
